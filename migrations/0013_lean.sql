-- Checkouts and decisions are written many at a time, and what is left of their cost are index entries and foreign keys,
-- one by one. This takes away those that say nothing new (docs/decisions/0020-the-counter.md). It rewrites claims and
-- payment_attempts and locks them meanwhile: between two on-sales, with the processes of the version before drained.

-- A foreign key looks its parent up for each row, and locks it, which writes to the parent's page. These children are
-- written by a statement that has their parent in hand, counted: the booking that it makes, the ticket that it has locked,
-- the account and the event that it has looked up. What is left of the keys is said once, from the other side: nobody
-- takes a parent away.
ALTER TABLE bookings DROP CONSTRAINT bookings_user_id_fkey, DROP CONSTRAINT bookings_event_id_fkey;
ALTER TABLE booking_fees DROP CONSTRAINT booking_fees_booking_id_fkey;
ALTER TABLE claims DROP CONSTRAINT claims_booking_id_fkey, DROP CONSTRAINT claims_ticket_id_fkey;
ALTER TABLE payment_attempts DROP CONSTRAINT payment_attempts_booking_id_fkey;
ALTER TABLE tickets DROP CONSTRAINT tickets_user_id_fkey, DROP CONSTRAINT tickets_booking_id_fkey;

-- events are kept by the key of their tickets
CREATE FUNCTION keep_booked() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    booked boolean;
BEGIN
    -- checkouts under way have looked their account up, and commit first
    LOCK TABLE bookings IN SHARE MODE;
    CASE TG_TABLE_NAME
        WHEN 'users' THEN booked := EXISTS (SELECT FROM gone JOIN bookings USING (user_id));
        WHEN 'tickets' THEN booked := EXISTS (SELECT FROM gone JOIN claims USING (ticket_id));
        WHEN 'bookings' THEN booked := EXISTS (SELECT FROM gone JOIN claims USING (booking_id))
                                    OR EXISTS (SELECT FROM gone JOIN payment_attempts USING (booking_id));
    END CASE;
    IF booked THEN
        RAISE foreign_key_violation USING MESSAGE = 'rows of ' || TG_TABLE_NAME || ' are part of bookings';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER users_booked AFTER DELETE ON users REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION keep_booked();
CREATE TRIGGER tickets_booked AFTER DELETE ON tickets REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION keep_booked();
CREATE TRIGGER bookings_booked AFTER DELETE ON bookings REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION keep_booked();

-- A row whose change touches no column of an index, nor of an index's condition, gets no new index entries when there is
-- room on its page (HOT). held → sold and created → won change no such column any more.
-- https://www.postgresql.org/docs/15/storage-hot.html
ALTER TABLE claims ADD COLUMN is_live boolean NOT NULL GENERATED ALWAYS AS (state <> 'released') STORED;
DROP INDEX claims_one_live_per_ticket;
CREATE UNIQUE INDEX claims_one_live_per_ticket ON claims (ticket_id) WHERE is_live;
ALTER TABLE payment_attempts
    ADD COLUMN is_owed boolean NOT NULL GENERATED ALWAYS AS (status = 'void' AND undone_at IS NULL) STORED;
DROP INDEX payment_attempts_owed;
CREATE INDEX payment_attempts_owed ON payment_attempts (created_at) WHERE is_owed;
-- a booking's tickets are found by its claims
DROP INDEX tickets_booking;
ALTER TABLE claims SET (fillfactor = 50);
ALTER TABLE payment_attempts SET (fillfactor = 50);
ALTER TABLE tickets SET (fillfactor = 70);

-- An attempt has no intent when it is made.
ALTER TABLE payment_attempts DROP CONSTRAINT payment_attempts_intent_id_key;
CREATE UNIQUE INDEX payment_attempts_intent ON payment_attempts (intent_id) WHERE intent_id IS NOT NULL;
-- Answers are forgotten in the order in which they came.
DROP INDEX idempotency_created;
CREATE INDEX idempotency_created ON idempotency USING brin (created_at);
