-- VICIdial's log of what its administrators change, the columns that crankback writes, for an embedded database without VICIdial
-- beside it. Beside a real VICIdial it exists already.

CREATE TABLE IF NOT EXISTS vicidial_admin_log (
  admin_log_id  INTEGER      NOT NULL PRIMARY KEY,
  event_date    DATETIME     NOT NULL,
  user          VARCHAR(20)  NOT NULL,
  ip_address    VARCHAR(15)  NOT NULL,
  event_section VARCHAR(30)  NOT NULL,
  event_type    VARCHAR(10)  NOT NULL DEFAULT 'OTHER',
  record_id     VARCHAR(50)  NOT NULL,
  event_code    VARCHAR(255) NOT NULL,
  event_sql     TEXT,
  event_notes   TEXT
);
