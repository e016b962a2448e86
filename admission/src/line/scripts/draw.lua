-- Moves drawn places from the lobby into the line at their drawn keys. Doing it twice changes nothing, and
-- who left meanwhile stays away.
--
-- ARGV: 1 who looks: 'nobody' | 'all' (everybody, once the lobby is empty) | 'each' (the places moved) |
--         'opened' (everybody, once an opening); then for each place: place, drawn key; at most 1,000 places
--         (Lua passes no more than some thousand values)
-- Returns: {header, how many are left in the lobby}; nothing is moved while the drop is not open.
--          {header} when restoring.

if restoring then return { header() } end
local who = ARGV[1]
if is_open and #ARGV > 1 then
  local places, move = {}, {}
  for i = 2, #ARGV, 2 do places[#places + 1] = ARGV[i] end
  local there = redis.call('ZMSCORE', LOBBY, unpack(places))
  for i, place in ipairs(places) do
    if there[i] then
      move[#move + 1] = ARGV[2 * i + 1]
      move[#move + 1] = place
      if who == 'each' then changed('drawn', place) end
    end
  end
  if #move > 0 then
    redis.call('ZREM', LOBBY, unpack(places))
    redis.call('ZADD', WAITING, unpack(move))
  end
end
local left = redis.call('ZCARD', LOBBY)
local all_drawn = who == 'all' and is_open and left == 0
local newly_open = who == 'opened' and is_open and control.told_open ~= text(opens_at)
-- everybody has a rank now, or waits for the draw, or stands behind it: so everybody looks
if all_drawn or newly_open then
  redis.call('HSET', CONTROL, 'told_open', text(opens_at))
  changed('drop')
  changed('gap')
end
return { header(), left }
