-- Who places the legs of calls that enter by a carrier's dialplan line: stasis or agi. NULL: as the configuration has it.
-- SQLite has no IF NOT EXISTS here and undoes a whole run that is cut short; MariaDB does not, and has it.
ALTER TABLE crankback_carriers ADD COLUMN /*! IF NOT EXISTS */ engine VARCHAR(8);
