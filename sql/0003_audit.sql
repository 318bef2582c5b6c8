-- Who changed what. A row is written in the same transaction as its change, and one for every command that was refused.
-- Portable as 0001 is.

CREATE TABLE IF NOT EXISTS crankback_audit (
  id      BIGINT       NOT NULL PRIMARY KEY,
  at_ms   BIGINT       NOT NULL,
  actor   VARCHAR(128) NOT NULL, -- who asked, for example uid:1000 (alice)
  command VARCHAR(32)  NOT NULL, -- for example route_add
  target  VARCHAR(64)  NOT NULL, -- what it was about, for example route 3
  detail  TEXT         NOT NULL, -- the command as it was given, JSON
  outcome VARCHAR(64)  NOT NULL, -- done, or the code of the refusal
  UNIQUE (at_ms, id) -- for reading a span of time; the primary key alone makes rows unique
) /*! ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;
