-- What crankback knows of a carrier beside VICIdial's own row. NULL: as the configuration or the tables have it.
CREATE TABLE IF NOT EXISTS crankback_carriers (
  carrier_id         VARCHAR(15)   NOT NULL PRIMARY KEY,
  guard_ms           BIGINT,        -- nothing came back for so long: the next carrier
  progress_ms        BIGINT,        -- neither ringing nor media for so long: the next carrier
  fakes_progress     INTEGER,       -- 1: its 180 and 183 say nothing
  failover_after_183 VARCHAR(16),   -- never, if_5xx
  preset             VARCHAR(32),   -- what answers of its provider are known to mean
  verdicts           VARCHAR(4000), -- what its answers mean: ANSWER=ACTION, one a line
  max_channels       BIGINT,        -- legs at one time
  max_cps            BIGINT,        -- legs a second
  operator_state     VARCHAR(16),   -- enabled, disabled, draining, only; nothing automatic writes it
  operator_by        VARCHAR(128),
  operator_reason    VARCHAR(255),
  operator_since_ms  BIGINT,
  operator_until_ms  BIGINT         -- NULL: until somebody says otherwise
) /*! ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;
