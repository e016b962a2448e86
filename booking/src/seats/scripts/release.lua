-- Purpose: free the seats of an owner who gave them up; somebody else's stay.
-- KEYS: see sweep.lua
-- ARGV[1] owner, ARGV[2] ms on booking's clock since when they belong to the line first (0: anybody's), ARGV[3...]
-- ordinals
-- Returns: how many were freed
local freed = 0
for i = 3, #ARGV do
  local owner = marked(ARGV[i])
  if owner == ARGV[1] or owner == '' or owner == 'postgres' then
    free(ARGV[i])
    if tonumber(ARGV[2]) > 0 then redis.call('ZADD', KEYS[5], ARGV[2], ARGV[i]) end
    freed = freed + 1
  end
end
return freed
