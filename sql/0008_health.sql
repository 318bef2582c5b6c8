-- What each dialer knew of its carriers' health, for the time after a restart. One row a dialer; the text is JSON of its own form.
CREATE TABLE IF NOT EXISTS crankback_health (
  server_ip VARCHAR(39) NOT NULL PRIMARY KEY,
  taken_ms  BIGINT      NOT NULL, -- when it was written
  snapshot  MEDIUMTEXT  NOT NULL
) /*! ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;
