-- Moves drawn places from the lobby into the line at their drawn keys. Doing it twice changes nothing, and
-- who left meanwhile stays away.
--
-- ARGV: for each place: place, drawn key; at most 1,000 places (Lua passes no more than some thousand values)
-- Returns: {header, how many are left in the lobby}; nothing is moved while the drop is not open.
--          {header} when restoring.

if restoring then return { header() } end
if is_open and #ARGV > 0 then
  local places, move = {}, {}
  for i = 1, #ARGV, 2 do places[#places + 1] = ARGV[i] end
  local there = redis.call('ZMSCORE', LOBBY, unpack(places))
  for i, place in ipairs(places) do
    if there[i] then
      move[#move + 1] = ARGV[2 * i]
      move[#move + 1] = place
    end
  end
  if #move > 0 then
    redis.call('ZREM', LOBBY, unpack(places))
    redis.call('ZADD', WAITING, unpack(move))
  end
end
local left = redis.call('ZCARD', LOBBY)
-- the draw is done: everybody has a rank now, so everybody looks
if left == 0 and #ARGV > 0 then
  changed('drop')
  changed('gap')
end
return { header(), left }
