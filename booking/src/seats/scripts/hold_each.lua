-- Purpose: hold a block for each of many parties, in this order, each party's all or none.
-- KEYS: see sweep.lua
-- ARGV[1] lease in ms, then for each party: its owner, the length of its block, the block's ordinals, the number of its
-- edges, for each edge the ordinal of the seat beside the block and of the one beyond (-1: there is none)
-- Returns: {'missing'} without a projection; {one letter a party: h held, or t when somebody has a seat of the block, or
-- one beyond an edge so that the seat between would be left alone; the bitmap as in peek.lua if there is a t, else ''}
if redis.call('EXISTS', KEYS[1]) == 0 then return {'missing'} end

-- Held or sold, and not by this owner.
local function is_anothers(ordinal, owner)
  return redis.call('GETBIT', KEYS[2], ordinal) == 1 and marked(ordinal) ~= owner
end

-- An own seat keeps its deadline: a repeated request must not shorten what the booking has.
local function hold(ordinal, owner, lease_ms)
  if redis.call('GETBIT', KEYS[2], ordinal) == 0 then take(ordinal, owner, now_ms + lease_ms) end
end

local function is_free(ordinal)
  return ordinal ~= '-1' and redis.call('GETBIT', KEYS[2], ordinal) == 0
end

local lease_ms = tonumber(ARGV[1])
local letters, is_taken = {}, false
local at = 2
while at < #ARGV do
  local owner, first, last = ARGV[at], at + 2, at + 1 + tonumber(ARGV[at + 1])
  local edges, last_edge = last + 2, last + 1 + 2 * tonumber(ARGV[last + 1])
  local letter = 'h'
  for i = first, last do
    if is_anothers(ARGV[i], owner) then letter = 't' end
  end
  for i = edges, last_edge, 2 do
    if is_free(ARGV[i]) and not is_free(ARGV[i + 1]) then letter = 't' end
  end
  if letter == 'h' then
    for i = first, last do hold(ARGV[i], owner, lease_ms) end
  else
    is_taken = true
  end
  table.insert(letters, letter)
  at = last_edge + 1
end
local bitmap = ''
if is_taken then bitmap = redis.call('GET', KEYS[2]) or '' end
return {table.concat(letters), bitmap}
