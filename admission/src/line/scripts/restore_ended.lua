-- Marks places as ended in a line that is being restored, so that no moment passes in which they are
-- not. Doing it twice changes nothing. Nobody is told one by one: everybody looks when the line reopens.
--
-- ARGV: for each place: place, reason, order key, when it was granted (µs) or '0', '1' when given up;
--       at most 1,000 places (Lua passes no more than some thousand values)
-- Returns: 1, or 0 when the line is not being restored

if not restoring and not is_another_run(true) then return 0 end
if #ARGV == 0 then return 1 end
local places = {}
for i = 1, #ARGV, 5 do places[#places + 1] = ARGV[i] end
local known = redis.call('HMGET', RECORDS, unpack(places))
local there = redis.call('ZMSCORE', ENDED, unpack(places))
local records, ends, over = {}, {}, {}
local number = int(control.ended_seq)
for n, place in ipairs(places) do
  local i = 5 * n - 4
  local r = unpacked(known[n])
    or { key = 0, called_at = 0, granted_at = 0, session = 0, reason = '', given_up = false }
  r.key, r.granted_at = math.max(r.key, int(ARGV[i + 2])), math.max(r.granted_at, int(ARGV[i + 3]))
  r.given_up = r.given_up or ARGV[i + 4] == '1'
  if not there[n] then
    r.reason = ARGV[i + 1]
    number = number + 1
    ends[#ends + 1], ends[#ends + 2] = text(number), place
    over[#over + 1] = place
  end
  records[#records + 1], records[#records + 2] = place, pack(r)
end
redis.call('HSET', RECORDS, unpack(records))
if #over > 0 then
  for _, part in ipairs({ LOBBY, WAITING, CALLED, CLAIMS, ACTIVE }) do redis.call('ZREM', part, unpack(over)) end
  count('ended_seq', #over)
  redis.call('ZADD', ENDED, unpack(ends))
end
return 1
