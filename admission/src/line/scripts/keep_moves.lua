-- What Postgres has to know of moved places.
--
-- ARGV: 1 'read' | 'written' | 'restore'
--       read:    nothing more
--       written: 2 the epoch it was read in, 3 the number of the last move written down
--       restore: for each move: place, generation, own place, visitor hash. Also while the control is missing, so
--                that no moment passes in which a place is on two devices; a later move that is there stays.
-- Returns: read: {header, {number, 'place:generation:own place:visitor hash', ...}}, oldest first, at most 1,000;
--          else {header}. {header} when restoring.

local READ_MAX = 1000

local what = ARGV[1]
if what == 'restore' then
  for i = 2, #ARGV, 4 do
    local place, generation, own, visitor = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
    local packed = redis.call('HGET', MOVES, place)
    if int(generation) > int(packed and packed:match('^%d+')) then
      redis.call('HSET', MOVES, place, generation .. ':' .. visitor)
    end
    redis.call('HSET', MOVES, '@' .. own, place)
  end
  return { header() }
end
if restoring then return { header() } end

local written = int(control.moves_written)
if what == 'read' then
  local moves = {}
  local last = math.min(int(control.moves_seq), written + READ_MAX)
  for number = written + 1, last do
    local packed = redis.call('HGET', MOVES, '#' .. text(number))
    moves[#moves + 1], moves[#moves + 2] = text(number), packed or ''
  end
  return { header(), moves }
end
if ARGV[2] == control.epoch then
  local last = int(ARGV[3])
  for number = written + 1, last do redis.call('HDEL', MOVES, '#' .. text(number)) end
  if last > written then redis.call('HSET', CONTROL, 'moves_written', text(last)) end
end
return { header() }
