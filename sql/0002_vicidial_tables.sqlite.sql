-- VICIdial's tables, the columns that crankback reads, for an embedded database without VICIdial beside it.
-- Beside a real VICIdial they exist already and are never touched.

CREATE TABLE IF NOT EXISTS vicidial_server_carriers (
  carrier_id          VARCHAR(15)  NOT NULL PRIMARY KEY,
  carrier_name        VARCHAR(50)  NOT NULL DEFAULT '',
  registration_string VARCHAR(255) NOT NULL DEFAULT '',
  template_id         VARCHAR(15)  NOT NULL DEFAULT '',
  account_entry       TEXT,
  protocol            VARCHAR(16)  NOT NULL DEFAULT 'SIP',
  globals_string      VARCHAR(255) NOT NULL DEFAULT '',
  dialplan_entry      TEXT,
  server_ip           VARCHAR(15)  NOT NULL,
  active              VARCHAR(1)   NOT NULL DEFAULT 'Y',
  carrier_description VARCHAR(255) NOT NULL DEFAULT ''
);

CREATE TABLE IF NOT EXISTS vicidial_campaigns (
  campaign_id  VARCHAR(8)  NOT NULL PRIMARY KEY,
  dial_prefix  VARCHAR(20) NOT NULL DEFAULT '9',
  dial_timeout INTEGER     NOT NULL DEFAULT 60
);
