-- One step of the release loop: ends what is over, grants waiting claims, calls the front of the line.
-- Any number of processes may run it as often as they like: grants are bounded by the bucket, calls by
-- a level (how many claims to expect), not by how often this runs.
--
-- ARGV: 1 expected claims to keep in sight, 2 how long a called fan is expected to react (µs),
--       3 most claims to keep ready on suspicion when the house is full (max_active reached)
-- Returns: {header, granted, called, ended now, waiting, called and not lapsed, claims, active,
--           lobby, shows, no-shows, mean reaction (µs), admissions missed ever}; {header} when restoring.

if not restoring and is_another_run(true) then restoring = true end
if restoring then return { header() } end

local ENDS_MAX = 1000  -- places ended in a run
local CALLS_MAX = 1000 -- places called in a run
local AGES = 8         -- steps in which the silence of a called fan is told
local READY_SHARE = 50 -- a fiftieth of a full house has claims ready, should its slots come free in a rush
local FREED_EVERY = 1000000 -- how often the pace at which slots come free is measured (µs)

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
  local grace_over = drop_now - int(control.grace_us)
  for _, place in ipairs(redis.call('ZRANGEBYSCORE', CALLED, '-inf', text(grace_over), 'LIMIT', 0, ENDS_MAX)) do
    if finish(place, 'lapsed_out') then ended_now = ended_now + 1 end
  end
end

if paused_at == 0 or is_paused_for_stock then
  for _, place in ipairs(redis.call('ZRANGEBYSCORE', ACTIVE, '-inf', text(session_now), 'LIMIT', 0, ENDS_MAX)) do
    if finish(place, 'session_over') then ended_now = ended_now + 1 end
  end
end

local granted = grant()

local shows, noshows = int(control.shows), int(control.noshows)
if shows + noshows > 400 then
  shows, noshows = math.floor(shows / 2), math.floor(noshows / 2)
  redis.call('HSET', CONTROL, 'shows', text(shows), 'noshows', text(noshows))
end

-- Fans called longer ago than it takes to react are no longer expected: no slot waits for them. How many
-- of the last few hundred came before that is known long before the first claim window is over.
local claim_us = int(control.claim_us)
local reaction = math.min(int(ARGV[2]), claim_us)
local since = drop_now + claim_us - reaction
local came, silent = int(control.came), int(control.silent)
local judged = int(control.silent_mark)
if since > judged then
  silent = silent + redis.call('ZCOUNT', CALLED, '(' .. text(judged), text(since))
  if came + silent > 400 then came, silent = math.floor(came / 2), math.floor(silent / 2) end
  redis.call('HSET', CONTROL, 'came', text(came), 'silent', text(silent), 'silent_mark', text(since))
end
local coming = math.max(0.1, (came + 4) / (came + silent + 4))

-- How many of those called a moment ago will still come: the longer somebody is silent, the less likely.
-- Reactions are taken to spread evenly over the time they are expected in.
local function still_coming()
  local newest, sum = drop_now + claim_us, 0
  for age = 0, AGES - 1 do
    local from, to = text(newest - reaction * (age + 1) / AGES), text(newest - reaction * age / AGES)
    local n = redis.call('ZCOUNT', CALLED, '(' .. from, age == 0 and '+inf' or to)
    local reacted = (age + 0.5) / AGES
    sum = sum + n * coming * (1 - reacted) / (1 - coming * reacted)
  end
  return sum
end

-- How many slots come free in a second, for a house that is full: a moving average over some seconds.
local freed, freed_at = int(control.freed_total), int(control.freed_at)
local freeing = (tonumber(control.freeing) or 0)
if now - freed_at >= FREED_EVERY then
  if freed_at > 0 and paused_at == 0 then
    local measured = (freed - int(control.freed_seen)) * 1000000 / (now - freed_at)
    freeing = freeing + (measured - freeing) / 4
  end
  redis.call('HSET', CONTROL, 'freed_at', text(now), 'freed_seen', text(freed),
    'freeing', string.format('%.3f', freeing))
end

local called = 0
local stopped = paused_at > 0 or is_ended or is_sold_out or is_covered or not is_open or is_regathering
if not stopped and redis.call('ZCARD', LOBBY) == 0 then
  local expected = redis.call('ZCARD', CLAIMS) + still_coming()
  local room = int(control.max_active) - redis.call('ZCARD', ACTIVE)
  -- called ahead of a full house: as many as take a slot while one fan reacts, and a second more
  local ready = math.max(
    1, math.min(int(ARGV[3]), math.ceil(int(control.max_active) / READY_SHARE)),
    math.ceil(freeing * (reaction / 1000000 + 1))
  )
  local level = math.min(int(ARGV[1]), math.max(room, 0) + ready)
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
  math.floor(int(redis.call('HGET', BUCKET, 'missed')) / TOKEN),
}
