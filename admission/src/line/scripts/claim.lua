-- A called fan takes the admission: the claim waits for the bucket and is granted in order of key.
-- A place that lapsed within its grace time claims like any other; its key puts it ahead.
--
-- ARGV: place
-- Returns: {header, describe()}; {header} when restoring.

if restoring then return { header() } end
local place = ARGV[1]
local deadline = redis.call('ZSCORE', CALLED, place)
if deadline and not is_ended then
  local r = record(place)
  redis.call('ZREM', CALLED, place)
  redis.call('ZADD', CLAIMS, text(r.key), place)
  if int(deadline) > drop_now then
    count('shows', 1)
    -- how long fans take from the call to the claim: a moving average over about 16 claims
    local took = math.max(0, drop_now - r.called_at)
    local mean = int(control.react_us)
    redis.call('HSET', CONTROL, 'react_us', text(mean == 0 and took or mean + (took - mean) / 16))
  end
end
if redis.call('ZSCORE', CLAIMS, place) then grant() end
return { header(), describe(place) }
