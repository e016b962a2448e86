-- Purpose: start a projection from what Postgres said, unless another process just did.
-- KEYS: see sweep.lua
-- ARGV[1] new epoch, ARGV[2] bitmap as in peek.lua, ARGV[3] seconds until an unused projection goes, ARGV[4...]
-- ordinals that came back and the ms on booking's clock when, in turn
-- Returns: 1 when this one was taken, else 0
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], KEYS[5])
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
for i = 4, #ARGV, 2 do redis.call('ZADD', KEYS[5], ARGV[i + 1], ARGV[i]) end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
return 1
