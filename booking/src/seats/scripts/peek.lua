-- Purpose: which seats are taken.
-- KEYS: see sweep.lua
-- Returns: {epoch or '', bitmap (ordinal 0 is the highest bit of the first byte), now in ms}
return {redis.call('GET', KEYS[1]) or '', redis.call('GET', KEYS[2]) or '', string.format('%.0f', now_ms)}
