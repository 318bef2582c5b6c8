-- More limits that an operator sets about a carrier. /*M! */ is a comment to SQLite, which applies every script in one
-- transaction; MariaDB, which commits each ALTER by itself, can so run this again after a run that was cut short.
ALTER TABLE crankback_carriers ADD COLUMN /*M! IF NOT EXISTS */ ring_ms BIGINT;      -- rang for so long: the call ends, not answered
ALTER TABLE crankback_carriers ADD COLUMN /*M! IF NOT EXISTS */ setup_ms BIGINT;     -- calls that enter here: no further attempt after so long without ringing
ALTER TABLE crankback_carriers ADD COLUMN /*M! IF NOT EXISTS */ max_attempts BIGINT; -- calls that enter here: attempts, the first included
