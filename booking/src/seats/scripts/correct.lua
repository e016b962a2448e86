-- Purpose: bring the projection in line with what Postgres said a moment ago.
-- KEYS: see sweep.lua
-- ARGV[1] epoch the comparison was made under, ARGV[2] ms: only marks made before may be freed,
-- ARGV[3] seconds until an unused projection goes, ARGV[4] how many to free, then these, then those to take
-- Returns: how many were changed; 0 when the epoch is another one
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local changed = 0
local last_to_free = 4 + tonumber(ARGV[4])
for i = 5, last_to_free do
  local _, at = marked(ARGV[i])
  if at < tonumber(ARGV[2]) then
    free(ARGV[i])
    changed = changed + 1
  end
end
for i = last_to_free + 1, #ARGV do
  if redis.call('GETBIT', KEYS[2], ARGV[i]) == 0 then
    take(ARGV[i], 'postgres', 0)
    changed = changed + 1
  end
end
for i = 1, 5 do redis.call('EXPIRE', KEYS[i], ARGV[3]) end
return changed
