-- Purpose: for each of many bookings, in this order, hold the seats that a fan has named, all or none (h), write down
-- what Postgres decided: these seats are the owner's (m), or free what the owner gave up, while somebody else's stay (r).
-- KEYS: see sweep.lua
-- ARGV: for each booking the letter, its owner, ms from now until the seats are free again by themselves (0: never), ms on
-- booking's clock (h: seats that came back later are the line's and not this fan's; r: since when they belong to the
-- line first, 0: anybody's), the number of its seats, their ordinals
-- Returns: {'missing'} without a projection; else for each booking 'done', or the taken ordinals with a space after each
if redis.call('EXISTS', KEYS[1]) == 0 then return {'missing'} end

-- marks of the seats that are to be held, looked up together, and what this call makes of them; false: without one
local marks, to_hold = {}, {}
local at = 1
while at < #ARGV do
  local last = at + 4 + tonumber(ARGV[at + 4])
  if ARGV[at] == 'h' then
    for i = at + 5, last do
      if marks[ARGV[i]] == nil then
        marks[ARGV[i]] = false
        to_hold[#to_hold + 1] = ARGV[i]
      end
    end
  end
  at = last + 1
end
for first = 1, #to_hold, 1000 do -- Lua passes some thousands at once
  local found = redis.call('HMGET', KEYS[3], unpack(to_hold, first, math.min(first + 999, #to_hold)))
  for i, mark in ipairs(found) do marks[to_hold[first + i - 1]] = mark end
end

local some_returned = redis.call('EXISTS', KEYS[5]) == 1

-- Held or sold; a seat without a mark may have come so with a rebuild.
local function is_taken(ordinal)
  return marks[ordinal] or redis.call('GETBIT', KEYS[2], ordinal) == 1
end

local function is_own(ordinal, own_mark)
  return marks[ordinal] and string.sub(marks[ordinal], 1, #own_mark) == own_mark
end

local function is_the_lines(ordinal, returned_ms)
  local returned = some_returned and redis.call('ZSCORE', KEYS[5], ordinal)
  return returned and tonumber(returned) > returned_ms
end

local function give(ordinal, owner, own_mark, deadline_ms)
  take(ordinal, owner, deadline_ms)
  marks[ordinal] = own_mark
end

local function give_back(ordinal, owner, returned_ms)
  local holder = marked(ordinal)
  if holder == owner or holder == '' or holder == 'postgres' then
    free(ordinal)
    marks[ordinal] = false
    if returned_ms > 0 then redis.call('ZADD', KEYS[5], string.format('%.0f', returned_ms), ordinal) end
  end
end

local answers = {}
at = 1
while at < #ARGV do
  local what, owner, ms, returned_ms = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local first, last = at + 5, at + 4 + tonumber(ARGV[at + 4])
  local own_mark, taken = owner .. ' ', ''
  if what == 'm' then
    local deadline_ms = 0
    if ms > 0 then deadline_ms = now_ms + ms end
    for i = first, last do give(ARGV[i], owner, own_mark, deadline_ms) end
  elseif what == 'r' then
    for i = first, last do give_back(ARGV[i], owner, returned_ms) end
    some_returned = some_returned or returned_ms > 0
  else
    for i = first, last do
      local is_anothers = is_taken(ARGV[i]) and not is_own(ARGV[i], own_mark)
      if is_anothers or is_the_lines(ARGV[i], returned_ms) then taken = taken .. ARGV[i] .. ' ' end
    end
    if taken == '' then
      for i = first, last do
        -- an own seat keeps its deadline: a repeated request must not shorten what the booking has
        if not is_taken(ARGV[i]) then give(ARGV[i], owner, own_mark, now_ms + ms) end
      end
    end
  end
  answers[#answers + 1] = taken == '' and 'done' or taken
  at = last + 1
end
return answers
