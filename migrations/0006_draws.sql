-- The draw: where its chance comes from, when its list closes, and what must be known to repeat it.
ALTER TABLE drops ADD COLUMN draw_source text NOT NULL DEFAULT 'commit' CHECK (draw_source IN ('commit', 'beacon'));
-- When the list of the draw closes; NULL: at the opening.
ALTER TABLE drops ADD COLUMN lobby_closes_at timestamptz;

-- One row a drop, filled in from the top down and never changed: list and root first, then when they were
-- shown, then the seed, and the end of the draw. Times are microseconds on Redis's clock.
CREATE TABLE draws (
    drop_id   text PRIMARY KEY REFERENCES drops (drop_id),
    entrants  bytea NOT NULL CHECK (octet_length(entrants) % 16 = 0), -- places of 16 bytes, ascending
    root      bytea NOT NULL CHECK (octet_length(root) = 32),
    frozen_at bigint,                          -- when list and root had been shown
    round     bigint,                          -- of the beacon, where one was asked for
    seed      bytea CHECK (octet_length(seed) = 32),
    seed_from text CHECK (seed_from IN ('secret', 'round')),
    signature bytea,                           -- the round's
    opens_at  bigint,                          -- what the keys were drawn below
    drawn_at  bigint,
    CHECK ((seed IS NULL) = (seed_from IS NULL) AND (seed IS NULL) = (opens_at IS NULL)),
    CHECK (seed IS NULL OR frozen_at IS NOT NULL),
    CHECK (seed_from IS DISTINCT FROM 'round' OR (round IS NOT NULL AND signature IS NOT NULL)),
    CHECK (drawn_at IS NULL OR seed IS NOT NULL)
);
-- places are random: there is nothing to compress
ALTER TABLE draws ALTER COLUMN entrants SET STORAGE EXTERNAL;
