-- What a waitroom process reads for all its fans at once.
--
-- ARGV: 1 id of the last change seen ('$' to begin now), 2 '1' to include the pivots
-- Returns: {header, last change id, changes, counts, pivots, face}
--   changes: {kind, place, ...} oldest first, at most 5,000; {'gap', ''} when some were trimmed unseen
--   counts: waiting, called, claims, active, lobby, granted, called ever, no-shows, shows,
--           capacity, held, sold, estimates that proved early, right, late, waiting fans who left ever
--   pivots: {rank, order key, ...}: every rank below 100, then each at most 1 % beyond the last,
--           and the end of the line; none while the lobby is being drawn
--   face: {draw, brand}, JSON or '', with the pivots only
-- {header} when restoring.

if restoring then return { header() } end

local READ_MAX = 5000
local last = ARGV[1]
local changes = {}
if last == '$' then
  local newest = redis.call('XREVRANGE', CHANGES, '+', '-', 'COUNT', 1)
  last = newest[1] and newest[1][1] or '0-0'
else
  local entries = redis.call('XRANGE', CHANGES, '(' .. last, '+', 'COUNT', READ_MAX)
  local oldest = redis.call('XRANGE', CHANGES, '-', '+', 'COUNT', 1)
  if last ~= '0-0' and entries[1] and oldest[1] and entries[1][1] == oldest[1][1] then
    changes[1], changes[2] = 'gap', ''
  end
  for _, entry in ipairs(entries) do
    changes[#changes + 1] = entry[2][2]
    changes[#changes + 1] = entry[2][4]
    last = entry[1]
  end
end

local waiting = redis.call('ZCARD', WAITING)
local face = {}
if ARGV[2] == '1' then
  local both = redis.call('HMGET', FACE, 'draw', 'brand')
  face = { both[1] or '', both[2] or '' }
end
local pivots = {}
if ARGV[2] == '1' and waiting > 0 and not (is_open and redis.call('ZCARD', LOBBY) > 0) then
  local front = redis.call('ZRANGE', WAITING, 0, 99, 'WITHSCORES')
  for i = 1, #front, 2 do
    pivots[#pivots + 1] = (i - 1) / 2
    pivots[#pivots + 1] = text(int(front[i + 1]))
  end
  local rank = 99
  while rank < waiting - 1 do
    rank = math.min(waiting - 1, math.max(rank + 1, math.floor(rank * 1.01)))
    local at = redis.call('ZRANGE', WAITING, rank, rank, 'WITHSCORES')
    pivots[#pivots + 1] = rank
    pivots[#pivots + 1] = text(int(at[2]))
  end
end

return {
  header(), last, changes,
  {
    waiting, redis.call('ZCARD', CALLED), redis.call('ZCARD', CLAIMS), redis.call('ZCARD', ACTIVE),
    redis.call('ZCARD', LOBBY), int(control.granted_total), int(control.called_total),
    int(control.noshows), int(control.shows), int(control.capacity), int(control.held), int(control.sold),
    int(control.estimates_early), int(control.estimates_right), int(control.estimates_late),
    int(control.leaves_total),
  },
  pivots, face,
}
