-- What a verdict rests on, and what else it said. NULL: the attempt is still out, or it was written by an earlier version.
ALTER TABLE crankback_attempts ADD COLUMN /*M! IF NOT EXISTS */ technology VARCHAR(8);   -- PJSIP, SIP, IAX2
ALTER TABLE crankback_attempts ADD COLUMN /*M! IF NOT EXISTS */ answered_ms BIGINT;      -- when it was answered
ALTER TABLE crankback_attempts ADD COLUMN /*M! IF NOT EXISTS */ elapsed_ms BIGINT;       -- from start to end, whatever the wall clock did
ALTER TABLE crankback_attempts ADD COLUMN /*M! IF NOT EXISTS */ ended_by VARCHAR(16);    -- carrier, caller, dialer, crankback, unseen
ALTER TABLE crankback_attempts ADD COLUMN /*M! IF NOT EXISTS */ source VARCHAR(16);      -- received, local, unknown: who made the failure
ALTER TABLE crankback_attempts ADD COLUMN /*M! IF NOT EXISTS */ authority VARCHAR(16);   -- above, override, preset, default: where the rule stands
ALTER TABLE crankback_attempts ADD COLUMN /*M! IF NOT EXISTS */ health VARCHAR(16);      -- what the carrier's health learnt
