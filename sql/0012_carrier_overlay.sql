-- What crankback adds to a carrier that it made: whether routes may choose it, how it wants its numbers, whose network it is,
-- and the last good test call. NULL: as before. /*M! */ as in 0006.
ALTER TABLE crankback_carriers ADD COLUMN /*M! IF NOT EXISTS */ status VARCHAR(16);         -- staged: no route goes to it; active
ALTER TABLE crankback_carriers ADD COLUMN /*M! IF NOT EXISTS */ strip_prefix BIGINT;        -- characters dropped from the front of phone code + number
ALTER TABLE crankback_carriers ADD COLUMN /*M! IF NOT EXISTS */ add_prefix VARCHAR(32);     -- put before the rest
ALTER TABLE crankback_carriers ADD COLUMN /*M! IF NOT EXISTS */ upstream_group VARCHAR(64); -- carriers of one group fail together
ALTER TABLE crankback_carriers ADD COLUMN /*M! IF NOT EXISTS */ tested_ms BIGINT;           -- when a test call was last answered
ALTER TABLE crankback_carriers ADD COLUMN /*M! IF NOT EXISTS */ tested_digest VARCHAR(16);  -- stands for the settings that it was answered with
