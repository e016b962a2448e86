-- More of what survives the loss of Redis: grants, and what of a line's control stands nowhere else.

ALTER TABLE line_marks
    ADD COLUMN granted_seq bigint NOT NULL DEFAULT 0,   -- number of the last grant in line_grants
    ADD COLUMN carried     jsonb NOT NULL DEFAULT '{}', -- fields of the control: pause, totals, stock, notice
    ADD COLUMN swept_at    timestamptz;                 -- when the line of an ended drop was removed from Redis

ALTER TABLE ended_places
    ADD COLUMN order_key  bigint NOT NULL DEFAULT 0,
    ADD COLUMN granted_at bigint NOT NULL DEFAULT 0,    -- microseconds on Redis's clock; 0: was not admitted
    ADD COLUMN given_up   boolean NOT NULL DEFAULT false;

-- Places that were admitted. Those not in ended_places are inside.
CREATE TABLE line_grants (
    drop_id      text NOT NULL REFERENCES drops (drop_id),
    place        text NOT NULL,
    order_key    bigint NOT NULL,
    called_at    bigint NOT NULL,                       -- microseconds of drop time
    granted_at   bigint NOT NULL,                       -- microseconds on Redis's clock
    session_ends bigint NOT NULL,                       -- microseconds of drop time
    PRIMARY KEY (drop_id, place)
);
