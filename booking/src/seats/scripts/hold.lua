-- Purpose: hold the first block whose seats are all free (or the owner's own already), all or none.
-- KEYS: see sweep.lua
-- ARGV[1] owner, ARGV[2] lease in ms, ARGV[3] number of blocks, then for each block: its length, its ordinals
-- Returns: {'missing'} without a projection; {'held', index of the block from 0};
--          {'taken', the first block's taken ordinals...}
if redis.call('EXISTS', KEYS[1]) == 0 then return {'missing'} end

local owner, lease_ms = ARGV[1], tonumber(ARGV[2])
local refusal = {'taken'}
local at = 4
for block = 0, tonumber(ARGV[3]) - 1 do
  local length = tonumber(ARGV[at])
  local refused = false
  for i = at + 1, at + length do
    if redis.call('GETBIT', KEYS[2], ARGV[i]) == 1 and marked(ARGV[i]) ~= owner then
      refused = true
      if block == 0 then table.insert(refusal, ARGV[i]) else break end
    end
  end
  if not refused then
    for i = at + 1, at + length do
      -- an own seat keeps its deadline: a repeated request must not shorten what the booking has
      if redis.call('GETBIT', KEYS[2], ARGV[i]) == 0 then take(ARGV[i], owner, now_ms + lease_ms) end
    end
    return {'held', tostring(block)}
  end
  at = at + length + 1
end
return refusal
