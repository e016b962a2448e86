-- Selling every seat exactly once.

-- A live claim is a seat somebody holds or owns: at most one per ticket, whatever the code does.
CREATE TABLE claims (
    booking_id  uuid NOT NULL REFERENCES bookings (booking_id),
    ticket_id   bigint NOT NULL REFERENCES tickets (ticket_id),
    state       text NOT NULL DEFAULT 'held' CHECK (state IN ('held', 'sold', 'released')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (booking_id, ticket_id)
);
CREATE UNIQUE INDEX claims_one_live_per_ticket ON claims (ticket_id) WHERE state IN ('held', 'sold');

-- A place is used by one account, for good; an account has one live place per drop.
CREATE TABLE redemptions (
    drop_id     text NOT NULL,
    place       text NOT NULL,
    user_id     uuid NOT NULL REFERENCES users (user_id),
    jti         text NOT NULL,
    redeemed_at timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,          -- the token's; afterwards the account may redeem a new place
    ended_at    timestamptz,
    PRIMARY KEY (drop_id, place)
);
CREATE UNIQUE INDEX redemptions_one_live_per_account ON redemptions (drop_id, user_id) WHERE ended_at IS NULL;

-- Tickets a fan holds or owns in a drop.
CREATE TABLE fan_limits (
    drop_id  text NOT NULL,
    user_id  uuid NOT NULL REFERENCES users (user_id),
    quantity integer NOT NULL,
    maximum  integer NOT NULL,
    PRIMARY KEY (drop_id, user_id),
    CONSTRAINT fan_limits_within CHECK (quantity BETWEEN 0 AND maximum)
);

CREATE TABLE payment_attempts (
    attempt_id    uuid PRIMARY KEY,            -- also the provider's idempotency key, stored before the call
    booking_id    uuid NOT NULL REFERENCES bookings (booking_id),
    intent_id     text UNIQUE,
    client_secret text,
    status        text NOT NULL DEFAULT 'creating' CHECK (status IN ('creating', 'created', 'won', 'void')),
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX payment_attempts_booking ON payment_attempts (booking_id);

CREATE TABLE webhook_events (
    event_id    text PRIMARY KEY,              -- the provider's: it may deliver more than once
    received_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE idempotency (
    user_id     uuid NOT NULL REFERENCES users (user_id),
    key         text NOT NULL,
    fingerprint bytea NOT NULL,                -- SHA-256 of method, path and body
    booking_id  uuid,                          -- where a retry resumes
    status      smallint,                      -- NULL while the first request is under way
    response    text,
    locked_at   timestamptz NOT NULL DEFAULT now(),
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_created ON idempotency (created_at);

CREATE TABLE outbox (
    outbox_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text NOT NULL,                  -- capture, void, refund, end-place, ticket-mail, …
    body       jsonb NOT NULL,
    run_at     timestamptz NOT NULL DEFAULT now(),
    attempts   integer NOT NULL DEFAULT 0,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    done_at    timestamptz
);
CREATE INDEX outbox_due ON outbox (run_at) WHERE done_at IS NULL;
