-- Purpose: for each of many bookings, in this order, hold the seats that a fan has named, all or none (h), write down
-- what Postgres decided: these seats are the owner's (m), or free what the owner gave up, while somebody else's stay (r).
-- KEYS: see sweep.lua
-- ARGV: for each booking the letter, its owner, ms from now until the seats are free again by themselves (0: never), ms on
-- booking's clock (h: seats that came back later are the line's and not this fan's; r: since when they belong to the
-- line first, 0: anybody's), the number of its seats, their ordinals
-- Returns: {'missing'} without a projection; else for each booking 'done', or the taken ordinals with a space after each
if redis.call('EXISTS', KEYS[1]) == 0 then return {'missing'} end

local some_returned = redis.call('EXISTS', KEYS[5]) == 1

local function is_the_lines(ordinal, returned_ms)
  local returned = some_returned and redis.call('ZSCORE', KEYS[5], ordinal)
  return returned and tonumber(returned) > returned_ms
end

local function give_back(ordinal, owner, returned_ms)
  local holder = marked(ordinal)
  if holder == owner or holder == '' or holder == 'postgres' then
    free(ordinal)
    if returned_ms > 0 then redis.call('ZADD', KEYS[5], string.format('%.0f', returned_ms), ordinal) end
  end
end

local answers = {}
local at = 1
while at < #ARGV do
  local what, owner, ms, returned_ms = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local first, last = at + 5, at + 4 + tonumber(ARGV[at + 4])
  local taken = ''
  if what == 'm' then
    local deadline_ms = 0
    if ms > 0 then deadline_ms = now_ms + ms end
    for i = first, last do take(ARGV[i], owner, deadline_ms) end
  elseif what == 'r' then
    for i = first, last do give_back(ARGV[i], owner, returned_ms) end
    some_returned = some_returned or returned_ms > 0
  else
    for i = first, last do
      if is_anothers(ARGV[i], owner) or is_the_lines(ARGV[i], returned_ms) then taken = taken .. ARGV[i] .. ' ' end
    end
    if taken == '' then
      for i = first, last do hold(ARGV[i], owner, ms) end
    end
  end
  table.insert(answers, taken == '' and 'done' or taken)
  at = last + 1
end
return answers
