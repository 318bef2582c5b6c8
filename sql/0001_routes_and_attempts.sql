-- Portable SQL: VARCHAR, INTEGER and BIGINT only, times in milliseconds since 1970, ids chosen by the writer.

CREATE TABLE crankback_outbound_routes (
  id               BIGINT       NOT NULL PRIMARY KEY,
  entry_carrier_id VARCHAR(15),           -- the carrier whose dialplan line sent the call; NULL: any
  campaign_id      VARCHAR(20),           -- NULL: any
  match_type       VARCHAR(16)  NOT NULL, -- any, prefix, pattern
  match_text       VARCHAR(64)  NOT NULL, -- empty for any
  carrier_id       VARCHAR(15)  NOT NULL,
  priority         INTEGER      NOT NULL, -- lower first
  weight           INTEGER      NOT NULL, -- share among equal priorities
  cost             BIGINT,                -- a minute, in millionths of the currency
  schedule         VARCHAR(255),          -- NULL: always
  strip_prefix     INTEGER,               -- characters dropped from the front; NULL: as the carrier has it
  add_prefix       VARCHAR(32),           -- put before the rest; NULL: as the carrier has it
  enabled          INTEGER      NOT NULL  -- 1 or 0
);

CREATE TABLE crankback_attempts (
  call_id        VARCHAR(64) NOT NULL,
  n              INTEGER     NOT NULL, -- 1 for the first leg of the call
  number         VARCHAR(64) NOT NULL, -- as it went out on the wire
  carrier_id     VARCHAR(15) NOT NULL,
  entry_carrier  VARCHAR(15) NOT NULL,
  campaign       VARCHAR(20),
  started_ms     BIGINT      NOT NULL,
  progress       VARCHAR(16) NOT NULL, -- none, trying, ringing, media, answered
  progress_ms    BIGINT,               -- when it got that far
  ended_ms       BIGINT      NOT NULL,
  sip_code       INTEGER,
  sip_phrase     VARCHAR(255),
  q850_cause     INTEGER,
  verdict        VARCHAR(32) NOT NULL, -- what was done about it
  why            VARCHAR(255) NOT NULL,
  rule           VARCHAR(64),          -- the rule of the verdict tables that decided
  dialstatus     VARCHAR(32) NOT NULL,
  channel_id     VARCHAR(64) NOT NULL,
  sip_call_id    VARCHAR(255),
  caller_channel VARCHAR(128) NOT NULL,
  PRIMARY KEY (call_id, n)
);

CREATE INDEX crankback_attempts_started ON crankback_attempts (started_ms);
