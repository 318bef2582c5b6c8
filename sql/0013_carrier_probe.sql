-- OPTIONS of our own towards a carrier. NULL: as the configuration has it.
ALTER TABLE crankback_carriers ADD COLUMN /*M! IF NOT EXISTS */ probe VARCHAR(8);         -- on or off
ALTER TABLE crankback_carriers ADD COLUMN /*M! IF NOT EXISTS */ probe_interval_s BIGINT;  -- from one to the next
ALTER TABLE crankback_carriers ADD COLUMN /*M! IF NOT EXISTS */ probe_alive VARCHAR(255); -- the replies that count as alive
