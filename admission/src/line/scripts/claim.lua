-- A called fan takes the admission: the claim waits for the bucket and is granted in order of key.
-- A place that lapsed within its grace time claims like any other; its key puts it ahead.
--
-- ARGV: 1 place, 2 its generation as the asker knows it: a place that has moved on is not theirs to claim
-- Returns: {header, tell()}; {header} when restoring.

local REACTIONS = 256 -- claims that the mean reaction is taken over, about

if restoring then return { header() } end
local place = ARGV[1]
local _, generation, holder = held(place)
if generation ~= int(ARGV[2]) then return { header(), tell(place, place, generation, holder) } end
local deadline = redis.call('ZSCORE', CALLED, place)
if deadline and not is_ended then
  local r = record(place)
  redis.call('ZREM', CALLED, place)
  redis.call('ZADD', CLAIMS, text(r.key), place)
  -- who took longer than expected was taken for silent before (see release.lua)
  count('came', 1)
  if int(deadline) <= int(control.silent_mark) and int(control.silent) > 0 then count('silent', -1) end
  if int(deadline) > drop_now then
    count('shows', 1)
    -- how long fans take from the call to the claim: a moving average over some hundred claims, so that
    -- the quick ones of those who were called together do not speak for all
    local took = math.max(0, drop_now - r.called_at)
    local mean = int(control.react_us)
    if mean == 0 then mean = took end
    mean = mean + (took - mean) / math.min(int(control.shows), REACTIONS)
    redis.call('HSET', CONTROL, 'react_us', text(mean))
  end
end
if redis.call('ZSCORE', CLAIMS, place) then grant() end
return { header(), tell(place, place, generation, holder) }
