-- Purpose: hold seats that a fan has named, all or none.
-- KEYS: see sweep.lua
-- ARGV[1] owner, ARGV[2] lease in ms, ARGV[3] and ARGV[4] ms on booking's clock: seats that came back after both are
-- the line's and not this fan's; ARGV[5...] ordinals
-- Returns: {'missing'} without a projection; {'held'}; {'taken', the taken ordinals...}
if redis.call('EXISTS', KEYS[1]) == 0 then return {'missing'} end

local owner, lease_ms = ARGV[1], tonumber(ARGV[2])
local returned_ms = math.max(tonumber(ARGV[3]), tonumber(ARGV[4]))
local answer = {'taken'}
for i = 5, #ARGV do
  local returned = redis.call('ZSCORE', KEYS[5], ARGV[i])
  if is_anothers(ARGV[i], owner) or (returned and tonumber(returned) > returned_ms) then
    table.insert(answer, ARGV[i])
  end
end
if #answer > 1 then return answer end
for i = 5, #ARGV do hold(ARGV[i], owner, lease_ms) end
return {'held'}
