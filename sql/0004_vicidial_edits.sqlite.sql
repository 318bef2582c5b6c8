-- VICIdial's tables that tell what its carriers are written with and when, the columns that crankback reads, for an embedded
-- database without VICIdial beside it. Beside a real VICIdial they exist already and are never touched.

CREATE TABLE IF NOT EXISTS vicidial_conf_templates (
  template_id       VARCHAR(15) NOT NULL PRIMARY KEY,
  template_contents TEXT
);

CREATE TABLE IF NOT EXISTS servers (
  server_ip              VARCHAR(15) NOT NULL PRIMARY KEY,
  active                 VARCHAR(1)  DEFAULT 'Y',
  active_asterisk_server VARCHAR(1)  DEFAULT 'Y',
  generate_vicidial_conf VARCHAR(1)  DEFAULT 'Y',
  rebuild_conf_files     VARCHAR(1)  DEFAULT 'N'
);
