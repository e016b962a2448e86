-- Checkouts are written many at a time, and each foreign key is looked up row by row. These three name the account that
-- the booking names, too, which the same statement writes and bookings_user_id_fkey checks.
ALTER TABLE redemptions DROP CONSTRAINT IF EXISTS redemptions_user_id_fkey;
ALTER TABLE fan_limits DROP CONSTRAINT IF EXISTS fan_limits_user_id_fkey;
ALTER TABLE idempotency DROP CONSTRAINT IF EXISTS idempotency_user_id_fkey;

-- What is looked for by its time is open. Without the phase the planner takes this index, as long as it is nearly empty,
-- for a way to the one open booking of a place, too, and later walks through all of an evening's.
DROP INDEX bookings_open;
CREATE INDEX bookings_open ON bookings (expires_at) WHERE status = 'pending' AND phase = 'open';
