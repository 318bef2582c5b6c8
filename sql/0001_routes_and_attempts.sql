-- One text for SQLite and MariaDB: VARCHAR, INTEGER and BIGINT only, times in milliseconds since 1970, ids chosen by the
-- writer. MariaDB commits each CREATE by itself, so every statement can be run again after a run that was cut short. Indexes
-- stand in CREATE TABLE: MariaDB wants no further right for them there. /*! */ is a comment to SQLite; without it MariaDB
-- would take its defaults, which beside VICIdial are MyISAM (no transactions) and latin1.

CREATE TABLE IF NOT EXISTS crankback_outbound_routes (
  id               BIGINT       NOT NULL PRIMARY KEY,
  entry_carrier_id VARCHAR(15),           -- the carrier whose dialplan line sent the call; NULL: any
  campaign_id      VARCHAR(20),           -- NULL: any
  match_type       VARCHAR(16)  NOT NULL, -- any, prefix, pattern
  match_text       VARCHAR(64)  NOT NULL, -- empty for any
  carrier_id       VARCHAR(15)  NOT NULL,
  priority         INTEGER      NOT NULL, -- lower first
  weight           BIGINT       NOT NULL, -- share among equal priorities
  cost             BIGINT,                -- a minute, in millionths of the currency
  schedule         VARCHAR(255),          -- NULL: always
  strip_prefix     BIGINT,                -- characters dropped from the front; NULL: as the carrier has it
  add_prefix       VARCHAR(32),           -- put before the rest; NULL: as the carrier has it
  enabled          INTEGER      NOT NULL  -- 1 or 0
) /*! ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

-- Several dialers share one database; a call's id is unique on its own dialer only.
CREATE TABLE IF NOT EXISTS crankback_attempts (
  server_ip      VARCHAR(15)  NOT NULL, -- the dialer's, as VICIdial knows it
  call_id        VARCHAR(150) NOT NULL, -- an Asterisk unique id, which may be so long
  n              INTEGER      NOT NULL, -- 1 for the first leg of the call
  number         VARCHAR(64)  NOT NULL, -- as it went out on the wire
  carrier_id     VARCHAR(15)  NOT NULL,
  entry_carrier  VARCHAR(15)  NOT NULL,
  campaign       VARCHAR(20),
  started_ms     BIGINT       NOT NULL,
  progress       VARCHAR(16)  NOT NULL, -- none, trying, ringing, media, answered
  progress_ms    BIGINT,                -- when it got that far
  ended_ms       BIGINT,                -- NULL: still out
  sip_code       INTEGER,
  sip_phrase     VARCHAR(255),
  q850_cause     INTEGER,
  verdict        VARCHAR(32)  NOT NULL, -- what was done about it; open: still out
  why            VARCHAR(255) NOT NULL,
  rule           VARCHAR(64),           -- the rule of the verdict tables that decided
  dialstatus     VARCHAR(32)  NOT NULL,
  channel_id     VARCHAR(150) NOT NULL,
  sip_call_id    VARCHAR(255),
  caller_channel VARCHAR(128) NOT NULL,
  PRIMARY KEY (server_ip, call_id, n),
  -- The primary key alone makes rows unique. These are for finding: the newest, those of a call, those that are still out.
  UNIQUE (started_ms, server_ip, call_id, n),
  UNIQUE (call_id, server_ip, n),
  UNIQUE (server_ip, ended_ms, call_id, n)
) /*! ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;
