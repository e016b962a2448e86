-- Seats kept for wheelchairs and for who comes along.

-- open: anybody's; accessible: a space for a wheelchair; companion: sold only together with one.
ALTER TABLE tickets ADD COLUMN pool text NOT NULL DEFAULT 'open' CHECK (pool IN ('open', 'accessible', 'companion'));
