-- Purpose: which seats are taken.
-- KEYS: see sweep.lua
-- ARGV[1] ms on booking's clock: seats that came back before are anybody's, and forgotten as returned ones
-- Returns: {epoch or '', bitmap (ordinal 0 is the highest bit of the first byte), now in ms,
--          {ordinal, ms when it came back, ...}}
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', ARGV[1])
return {
  redis.call('GET', KEYS[1]) or '', redis.call('GET', KEYS[2]) or '', string.format('%.0f', now_ms),
  redis.call('ZRANGE', KEYS[5], 0, -1, 'WITHSCORES'),
}
