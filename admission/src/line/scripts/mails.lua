-- What became of those who asked for a mail; changes nothing, but 'forget' and 'restore'.
--
-- ARGV: 1 'read' | 'scan' | 'forget' | 'restore'
--       read: places; scan: cursor; forget, restore: place, sealed address pairs
--       (forget: an address is forgotten only if it is still this one. restore: also while the control is
--       missing; an address that is there stays)
-- Returns: {header, cursor, {place, sealed or '', state, called at (drop time, µs), deadline (µs), ...}} or 0;
--          for 'scan' the cursor to go on with ('0': done), else ''. {header} when restoring.

local SCAN = 500 -- addresses looked at in a run, about

local what = ARGV[1]
if what == 'restore' then
  for i = 2, #ARGV, 2 do redis.call('HSETNX', MAILS, ARGV[i], ARGV[i + 1]) end
  return { header(), '', {} }
end
if restoring then return { header() } end

local found = {}
local function add(place, sealed)
  local known = describe(place)
  local r = (known[1] == 'called' or known[1] == 'lapsed') and record(place)
  local n = #found
  found[n + 1], found[n + 2], found[n + 3] = place, sealed, known[1]
  found[n + 4], found[n + 5] = r and text(r.called_at) or '0', known[3]
end

local cursor = ''
if what == 'scan' then
  local page = redis.call('HSCAN', MAILS, ARGV[2], 'COUNT', SCAN)
  cursor = page[1]
  for i = 1, #page[2], 2 do add(page[2][i], page[2][i + 1]) end
elseif what == 'read' then
  for i = 2, #ARGV do add(ARGV[i], redis.call('HGET', MAILS, ARGV[i]) or '') end
elseif what == 'forget' then
  for i = 2, #ARGV, 2 do
    if redis.call('HGET', MAILS, ARGV[i]) == ARGV[i + 1] then redis.call('HDEL', MAILS, ARGV[i]) end
  end
end
return { header(), cursor, found }
