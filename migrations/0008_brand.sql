-- How a drop looks to its fans: {name?, accent?}.
ALTER TABLE drops ADD COLUMN brand jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(brand) = 'object');

-- Apart from the drops, which are read every second.
CREATE TABLE drop_logos (
    drop_id      text PRIMARY KEY REFERENCES drops (drop_id),
    file         text NOT NULL,                -- hash of the content and a suffix
    content_type text NOT NULL CHECK (content_type IN ('image/svg+xml', 'image/png')),
    bytes        bytea NOT NULL CHECK (octet_length(bytes) BETWEEN 1 AND 24576)
);
