-- Who changed what. A row is written in the same transaction as its change, and one for every command that was refused.

CREATE TABLE crankback_audit (
  id      BIGINT       NOT NULL PRIMARY KEY,
  at_ms   BIGINT       NOT NULL,
  actor   VARCHAR(128) NOT NULL, -- who asked, for example uid:1000 (alice)
  command VARCHAR(32)  NOT NULL, -- for example route_add
  target  VARCHAR(64)  NOT NULL, -- what it was about, for example route 3
  detail  TEXT         NOT NULL, -- the command as it was given, JSON
  outcome VARCHAR(64)  NOT NULL  -- done, or the code of the refusal
);

CREATE INDEX crankback_audit_at ON crankback_audit (at_ms);
