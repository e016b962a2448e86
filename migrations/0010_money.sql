-- Money itemised, holds extended, sales undone, and the provider's book compared with ours.

-- What an event charges on top of its tickets.
CREATE TABLE event_fees (
    event_id uuid NOT NULL REFERENCES events (event_id),
    position integer NOT NULL,
    label    text NOT NULL CHECK (label <> ''),
    per      text NOT NULL CHECK (per IN ('ticket', 'order')),
    amount   bigint NOT NULL CHECK (amount > 0),  -- minor units of the event's currency
    PRIMARY KEY (event_id, position)
);

-- What a booking was charged: bookings.total_amount is the tickets' prices and these.
CREATE TABLE booking_fees (
    booking_id uuid NOT NULL REFERENCES bookings (booking_id),
    position   integer NOT NULL,
    label      text NOT NULL,
    amount     bigint NOT NULL CHECK (amount > 0),  -- minor units, for the whole booking
    PRIMARY KEY (booking_id, position)
);

-- How often the fan has asked for more time.
ALTER TABLE bookings ADD COLUMN extensions integer NOT NULL DEFAULT 0;

-- When a held or sold seat came back while others waited in the line: it is theirs first, for a while.
ALTER TABLE tickets ADD COLUMN returned_at timestamptz;

-- voiding_at: the provider is being asked to cancel the intent, so nobody sells against it at this moment.
-- refunding_at: the provider is being asked to give captured money back, or was: nothing is sold against it any more.
-- undone_at: cancelled or refunded at the provider, nothing left to do.
ALTER TABLE payment_attempts ADD COLUMN voiding_at timestamptz;
ALTER TABLE payment_attempts ADD COLUMN refunding_at timestamptz;
ALTER TABLE payment_attempts ADD COLUMN undone_at timestamptz;
CREATE INDEX payment_attempts_owed ON payment_attempts (created_at) WHERE status = 'void' AND undone_at IS NULL;
CREATE INDEX bookings_uncaptured ON bookings (completed_at) WHERE status = 'completed' AND captured_at IS NULL;

-- How far the provider's list of intents was compared with our books; one process a sweep at a time.
CREATE TABLE reconciliations (
    sweep        text PRIMARY KEY CHECK (sweep IN ('fresh', 'deep')),
    from_at      timestamptz,                   -- intents made from here …
    to_at        timestamptz,                   -- … to here are being compared
    after        text,                          -- the last intent compared, where a long list goes on
    finished_at  timestamptz,                   -- when the last window was done
    leased_until timestamptz NOT NULL
);
