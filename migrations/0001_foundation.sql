-- Who and what: accounts, venues, events, tickets.
-- Personal data (email, phone) is encrypted field by field; equality goes through blind indexes.

CREATE TABLE users (
    user_id     uuid PRIMARY KEY,
    username    text NOT NULL,
    password    text NOT NULL,                 -- argon2id, PHC string
    email       bytea NOT NULL,                -- sealed, context users.email:<user_id>
    email_index bytea NOT NULL,                -- blind index of the normalised address
    phone       bytea,                         -- sealed, context users.phone:<user_id>
    phone_index bytea,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_email_index ON users (email_index);
CREATE INDEX users_phone_index ON users (phone_index) WHERE phone_index IS NOT NULL;

-- Signing out revokes a session; the token itself is checked by its MAC.
CREATE TABLE revoked_sessions (
    token_hash bytea PRIMARY KEY,
    expires_at timestamptz NOT NULL
);

CREATE TABLE layouts (
    hash  text PRIMARY KEY,                    -- first 32 hex digits of SHA-256 of body
    seats integer NOT NULL CHECK (seats >= 0),
    body  text NOT NULL                        -- the bytes served at /layouts/{hash}
);

CREATE TABLE venues (
    venue_id    uuid PRIMARY KEY,
    name        text NOT NULL,
    slug        text UNIQUE,                   -- only venues with a layout of their own have one
    address     text NOT NULL DEFAULT '',
    city        text NOT NULL DEFAULT '',
    timezone    text,                          -- IANA name; NULL when an import did not say
    layout_hash text REFERENCES layouts (hash),
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX venues_natural ON venues (name, address) WHERE slug IS NULL;

CREATE TABLE performers (
    performer_id uuid PRIMARY KEY,
    name         text NOT NULL,
    kind         text NOT NULL DEFAULT 'person' CHECK (kind IN ('person', 'group'))
);
CREATE UNIQUE INDEX performers_natural ON performers (name, kind);

CREATE TABLE events (
    event_id    uuid PRIMARY KEY,
    identifier  text UNIQUE,                   -- the import key
    name        text NOT NULL,
    category    text NOT NULL DEFAULT 'music',
    description text NOT NULL DEFAULT '',
    date        date NOT NULL,                 -- at the venue
    time        time,                          -- at the venue; NULL when unknown
    venue_id    uuid NOT NULL REFERENCES venues (venue_id),
    organizer   text NOT NULL DEFAULT '',
    series      text NOT NULL DEFAULT '',
    keywords    text NOT NULL DEFAULT '',
    currency    char(3) NOT NULL DEFAULT 'USD',
    layout_hash text REFERENCES layouts (hash),
    fingerprint bytea,                         -- SHA-256 of the imported line's meaning: the same again changes nothing
    changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX events_changed ON events (changed_xid);
CREATE INDEX events_date ON events (date, event_id);

CREATE TABLE event_performers (
    event_id     uuid NOT NULL REFERENCES events (event_id) ON DELETE CASCADE,
    position     integer NOT NULL,
    performer_id uuid NOT NULL REFERENCES performers (performer_id),
    role         text NOT NULL DEFAULT '',
    PRIMARY KEY (event_id, position)
);
CREATE INDEX event_performers_performer ON event_performers (performer_id);

CREATE TABLE event_works (
    event_id uuid NOT NULL REFERENCES events (event_id) ON DELETE CASCADE,
    position integer NOT NULL,
    name     text NOT NULL,
    composer text NOT NULL DEFAULT '',
    PRIMARY KEY (event_id, position)
);

-- The search index follows this feed: rows with changed_xid below pg_snapshot_xmin are final.
CREATE FUNCTION events_touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed_xid := pg_current_xact_id();
    NEW.updated_at := now();
    RETURN NEW;
END $$;
CREATE TRIGGER events_touch BEFORE UPDATE ON events FOR EACH ROW EXECUTE FUNCTION events_touch();

CREATE FUNCTION events_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NOTIFY events_changed;
    RETURN NULL;
END $$;
CREATE TRIGGER events_notify AFTER INSERT OR UPDATE ON events FOR EACH STATEMENT EXECUTE FUNCTION events_notify();

CREATE TABLE bookings (
    booking_id   uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users (user_id),
    event_id     uuid NOT NULL REFERENCES events (event_id),
    drop_id      text NOT NULL,
    place        text NOT NULL,                -- base64url of the 16-byte place
    total_amount bigint NOT NULL CHECK (total_amount >= 0), -- minor units
    currency     char(3) NOT NULL,
    quantity     integer NOT NULL CHECK (quantity > 0),
    booking_date timestamptz NOT NULL DEFAULT now(),
    status       text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'completed', 'cancelled')),
    -- a pending booking that is 'expiring' takes no new payment attempt
    phase        text NOT NULL DEFAULT 'open' CHECK (phase IN ('open', 'expiring', 'closed')),
    reason       text,                         -- why it was cancelled: expired, given-up, payment-lost, capture-refused, …
    expires_at   timestamptz NOT NULL,
    completed_at timestamptz,
    intent_id    text,                         -- the winning intent
    captured_at  timestamptz,
    CHECK ((status = 'pending') = (phase <> 'closed')),
    CHECK ((status = 'completed') = (completed_at IS NOT NULL) OR status = 'cancelled')
);
CREATE UNIQUE INDEX bookings_one_open_per_place ON bookings (drop_id, place) WHERE status = 'pending';
CREATE INDEX bookings_user ON bookings (user_id, booking_date DESC);
CREATE INDEX bookings_open ON bookings (expires_at) WHERE status = 'pending';

CREATE TABLE tickets (
    ticket_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id      uuid NOT NULL REFERENCES events (event_id),
    user_id       uuid REFERENCES users (user_id),
    booking_id    uuid REFERENCES bookings (booking_id),
    seat_number   text NOT NULL,               -- the label used everywhere; unique within the event
    ordinal       integer NOT NULL,            -- the place in the layout's order, from 0
    tier          text NOT NULL,
    zone          text NOT NULL DEFAULT '',
    price         bigint NOT NULL CHECK (price >= 0), -- minor units of the event's currency
    purchase_date timestamptz,
    status        text NOT NULL DEFAULT 'available' CHECK (status IN ('available', 'purchased', 'cancelled')),
    CHECK ((status = 'purchased') = (booking_id IS NOT NULL AND user_id IS NOT NULL AND purchase_date IS NOT NULL))
);
CREATE UNIQUE INDEX tickets_seat ON tickets (event_id, seat_number);
CREATE UNIQUE INDEX tickets_ordinal ON tickets (event_id, ordinal);
CREATE INDEX tickets_booking ON tickets (booking_id) WHERE booking_id IS NOT NULL;
