-- Moves drawn places from the lobby into the line at their drawn keys. Doing it twice changes nothing.
--
-- ARGV: for each place: place, drawn key
-- Returns: how many are left in the lobby, or -1 when the drop is not open (or restoring).

if restoring or not is_open then return -1 end
for i = 1, #ARGV, 2 do
  if redis.call('ZREM', LOBBY, ARGV[i]) == 1 then
    redis.call('ZADD', WAITING, ARGV[i + 1], ARGV[i])
  end
end
local left = redis.call('ZCARD', LOBBY)
-- the draw is done: everybody has a rank now, so everybody looks
if left == 0 and #ARGV > 0 then
  changed('drop')
  changed('gap')
end
return left
