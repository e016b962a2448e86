-- One step of the release loop: ends what is over, grants waiting claims, calls the front of the line.
-- Any number of processes may run it as often as they like: grants are bounded by the bucket, calls by
-- a level (how many claims to expect), not by how often this runs.
--
-- ARGV: 1 expected claims to keep in sight, 2 how long a called fan is expected to react (µs),
--       3 expected claims to keep ready when the house is full (max_active reached)
-- Returns: {header, granted, called, ended now, waiting, called and not lapsed, claims, active,
--           lobby, shows, no-shows, mean reaction (µs)}; {header} when restoring.

if restoring then return { header() } end

local ENDS_MAX = 1000  -- places ended in a run
local CALLS_MAX = 1000 -- places called in a run

local ended_now = 0
if paused_at == 0 then
  -- those whose claim window passed since the last look are told, and counted as no-shows
  local mark = int(control.lapse_mark)
  -- (all of them at once: a limit could cut those called in one run, who share a deadline, in two)
  local lapsed = redis.call('ZRANGEBYSCORE', CALLED, '(' .. text(mark), text(drop_now))
  for _, place in ipairs(lapsed) do
    mark = math.max(mark, int(redis.call('ZSCORE', CALLED, place)))
    changed('lapsed', place)
  end
  if #lapsed > 0 then
    count('noshows', #lapsed)
    redis.call('HSET', CONTROL, 'lapse_mark', text(mark))
  end
  for _, place in ipairs(redis.call('ZRANGEBYSCORE', ACTIVE, '-inf', text(drop_now), 'LIMIT', 0, ENDS_MAX)) do
    if finish(place, 'session_over') then ended_now = ended_now + 1 end
  end
  local grace_over = drop_now - int(control.grace_us)
  for _, place in ipairs(redis.call('ZRANGEBYSCORE', CALLED, '-inf', text(grace_over), 'LIMIT', 0, ENDS_MAX)) do
    if finish(place, 'lapsed_out') then ended_now = ended_now + 1 end
  end
end

local granted = grant()

-- The share of called fans who do not come, from the last few hundred calls.
local shows, noshows = int(control.shows), int(control.noshows)
if shows + noshows > 400 then
  shows, noshows = math.floor(shows / 2), math.floor(noshows / 2)
  redis.call('HSET', CONTROL, 'shows', text(shows), 'noshows', text(noshows))
end
local coming = math.max(0.1, (shows + 4) / (shows + noshows + 4))

local called = 0
local regathering = int(control.regather_until) > now
local stopped = paused_at > 0 or is_ended or is_sold_out or not is_open or regathering
if not stopped and redis.call('ZCARD', LOBBY) == 0 then
  local claim_us = int(control.claim_us)
  -- fans called longer ago than it takes to react are no longer expected: no slot waits for them
  local since = drop_now + claim_us - math.min(int(ARGV[2]), claim_us)
  local expected = redis.call('ZCARD', CLAIMS) + coming * redis.call('ZCOUNT', CALLED, '(' .. text(since), '+inf')
  local room = int(control.max_active) - redis.call('ZCARD', ACTIVE)
  local level = math.min(int(ARGV[1]), math.max(room, 0) + int(ARGV[3]))
  local n = math.min(math.ceil((level - expected) / coming), CALLS_MAX)
  if n > 0 then
    local front = redis.call('ZRANGE', WAITING, 0, n - 1, 'WITHSCORES')
    local highest = int(control.highest_called)
    for i = 1, #front, 2 do
      local place, key = front[i], int(front[i + 1])
      redis.call('ZREM', WAITING, place)
      redis.call('ZADD', CALLED, text(drop_now + claim_us), place)
      local r = record(place) or { granted_at = 0, session = 0, reason = '', given_up = false }
      r.key, r.called_at = key, drop_now
      keep(place, r)
      changed('called', place)
      highest = math.max(highest, key)
      called = called + 1
    end
    if called > 0 then
      count('called_total', called)
      redis.call('HSET', CONTROL, 'highest_called', text(highest))
    end
  end
end

return {
  header(), granted, called, ended_now, redis.call('ZCARD', WAITING),
  redis.call('ZCOUNT', CALLED, '(' .. text(drop_now), '+inf'), redis.call('ZCARD', CLAIMS),
  redis.call('ZCARD', ACTIVE), redis.call('ZCARD', LOBBY), shows, noshows, int(control.react_us),
}
