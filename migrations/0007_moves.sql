-- Places that were moved to another device, and who wants a mail when it is their turn.

CREATE TABLE line_moves (
    drop_id      text NOT NULL REFERENCES drops (drop_id),
    place        text NOT NULL,
    generation   integer NOT NULL CHECK (generation > 0), -- which move of the place it was
    own          text NOT NULL,                           -- the place of the new holder's own turn
    visitor_hash bytea NOT NULL,                          -- SHA-256 of the new holder's visitor secret
    moved_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (drop_id, place, generation)
);

CREATE TABLE turn_mails (
    drop_id   text NOT NULL REFERENCES drops (drop_id),
    place     text NOT NULL,
    sealed    bytea,       -- address and language; NULL once the mail is sent, or too late
    asked_at  timestamptz NOT NULL DEFAULT now(),
    called_at bigint,      -- of the last call written for, in microseconds of drop time: one mail a call
    deadline  timestamptz, -- until when to claim; NULL while the place waits
    queued_at timestamptz, -- when the notifier took it over
    PRIMARY KEY (drop_id, place)
);
CREATE INDEX turn_mails_due ON turn_mails (deadline) WHERE sealed IS NOT NULL AND queued_at IS NULL AND deadline IS NOT NULL;
