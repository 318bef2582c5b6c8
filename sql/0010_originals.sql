-- What stood in VICIdial's dialplan entries before crankback changed them. A row is written before its entry is changed, and goes
-- when the entry has been put back. Portable as 0001 is; SQLite takes MEDIUMTEXT for TEXT.

CREATE TABLE IF NOT EXISTS crankback_originals (
  kind      VARCHAR(16) NOT NULL, -- carrier: its dialplan_entry
  name      VARCHAR(64) NOT NULL, -- the carrier's id
  original  MEDIUMTEXT  NOT NULL, -- as it was
  installed MEDIUMTEXT  NOT NULL, -- as crankback left it
  at_ms     BIGINT      NOT NULL,
  actor     VARCHAR(128) NOT NULL, -- who asked for it
  PRIMARY KEY (kind, name)
) /*! ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;
