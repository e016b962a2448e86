-- Common head of the scripts below, put before each of them when they are built.
-- KEYS[1] epoch, KEYS[2] taken, KEYS[3] owners, KEYS[4] deadlines, KEYS[5] returned: see holds/keys.rs.
local time = redis.call('TIME') -- read once: it moves inside a script on Redis 7.0
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

local function free(ordinal)
  redis.call('SETBIT', KEYS[2], ordinal, 0)
  redis.call('HDEL', KEYS[3], ordinal)
  redis.call('ZREM', KEYS[4], ordinal)
end

-- deadline_ms 0: for good
local function take(ordinal, owner, deadline_ms)
  redis.call('SETBIT', KEYS[2], ordinal, 1)
  redis.call('ZREM', KEYS[5], ordinal)
  redis.call('HSET', KEYS[3], ordinal, owner .. ' ' .. string.format('%.0f', now_ms))
  if deadline_ms > 0 then
    redis.call('ZADD', KEYS[4], deadline_ms, ordinal)
  else
    redis.call('ZREM', KEYS[4], ordinal)
  end
end

-- owner and the millisecond it was marked; nothing is known of seats that came with a rebuild
local function marked(ordinal)
  local mark = redis.call('HGET', KEYS[3], ordinal)
  if not mark then return '', 0 end
  local owner, at = string.match(mark, '^(%S+) (%d+)$')
  return owner, tonumber(at)
end

-- at most 256 a call: what is left is swept by the next one
for _, ordinal in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now_ms, 'LIMIT', 0, 256)) do
  free(ordinal)
end
