-- What fans read a drop called. An empty one is a drop made before there were titles: its id is read instead.
ALTER TABLE drops ADD COLUMN title text NOT NULL DEFAULT '' CHECK (char_length(title) <= 120);
