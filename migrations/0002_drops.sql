-- On-sales and who runs them. Redis holds the live line; these rows are its settings' home.

CREATE TABLE drops (
    drop_id         text PRIMARY KEY CHECK (drop_id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    rate_per_minute integer NOT NULL CHECK (rate_per_minute BETWEEN 1 AND 6000000),
    max_active      integer NOT NULL DEFAULT 1000000 CHECK (max_active > 0),
    claim_window_s  integer NOT NULL DEFAULT 120 CHECK (claim_window_s BETWEEN 1 AND 86400),
    grace_s         integer NOT NULL DEFAULT 600 CHECK (grace_s BETWEEN 0 AND 86400),
    session_s       integer NOT NULL DEFAULT 900 CHECK (session_s BETWEEN 10 AND 86400),
    max_per_fan     integer NOT NULL DEFAULT 8 CHECK (max_per_fan BETWEEN 1 AND 100),
    opens_at        timestamptz,               -- NULL: when an operator opens it
    join_requires   text NOT NULL DEFAULT 'none' CHECK (join_requires IN ('none', 'account')),
    mode            text NOT NULL DEFAULT 'queue' CHECK (mode IN ('queue')),
    state           text NOT NULL DEFAULT 'scheduled' CHECK (state IN ('scheduled', 'running', 'paused', 'ended')),
    pause_reason    text,
    seed            bytea NOT NULL,            -- 32 random bytes that order the lobby
    version         integer NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE drop_events (
    event_id uuid PRIMARY KEY REFERENCES events (event_id), -- an event is in one drop
    drop_id  text NOT NULL REFERENCES drops (drop_id)
);
CREATE INDEX drop_events_drop ON drop_events (drop_id);

-- What survives the loss of Redis: written by admission every second.
CREATE TABLE line_marks (
    drop_id        text PRIMARY KEY REFERENCES drops (drop_id),
    epoch          bigint NOT NULL,
    last_key       bigint NOT NULL,
    highest_called bigint NOT NULL,
    ended_seq      bigint NOT NULL DEFAULT 0,
    updated_at     timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE ended_places (
    drop_id  text NOT NULL REFERENCES drops (drop_id),
    place    text NOT NULL,
    reason   text NOT NULL,
    ended_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (drop_id, place)
);

CREATE TABLE operators (
    operator_id uuid PRIMARY KEY,
    email       text NOT NULL UNIQUE,
    password    text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz
);
CREATE TABLE operator_sessions (
    token_hash  bytea PRIMARY KEY,
    operator_id uuid NOT NULL REFERENCES operators (operator_id),
    expires_at  timestamptz NOT NULL
);
CREATE TABLE audit (
    audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT now(),
    actor    text NOT NULL,                    -- operator:<email>, cli, system
    action   text NOT NULL,                    -- drop.create, drop.set, drop.pause, …
    subject  text NOT NULL,
    detail   jsonb NOT NULL DEFAULT '{}'
);
