-- Who asks the provider about which booking, and what else an intent may come to.

-- A booking the provider is being asked about, or was a moment ago: nobody asks before free_at. A table of its own, so
-- that no checkout writes it, and without a foreign key, because its rows are gone soon after the booking is decided.
CREATE TABLE provider_looks (
    asker      text NOT NULL,                   -- poller, expiry
    booking_id uuid NOT NULL,
    free_at    timestamptz NOT NULL,
    PRIMARY KEY (asker, booking_id)
);
CREATE INDEX provider_looks_free ON provider_looks (asker, free_at);

-- refused_since: since then every answer to a capture was a refusal (404 or 400).
-- late_money_at: when we saw money that came too late; its fan is written to when it has gone back.
ALTER TABLE payment_attempts ADD COLUMN refused_since timestamptz;
ALTER TABLE payment_attempts ADD COLUMN late_money_at timestamptz;

-- Those whose time is up are looked for each second, among all bookings that ever were.
CREATE INDEX bookings_expiring ON bookings (expires_at) WHERE status = 'pending' AND phase = 'expiring';
