-- Marks places as ended in a line that is being restored, so that no moment passes in which they are
-- not. Doing it twice changes nothing.
--
-- ARGV: for each place: place, reason, order key, when it was granted (µs) or '0', '1' when given up
-- Returns: 1, or 0 when the line is not being restored

if not restoring and not is_another_run(true) then return 0 end
for i = 1, #ARGV, 5 do
  local place = ARGV[i]
  local r = record(place) or { key = 0, called_at = 0, granted_at = 0, session = 0, reason = '', given_up = false }
  r.key, r.granted_at = math.max(r.key, int(ARGV[i + 2])), math.max(r.granted_at, int(ARGV[i + 3]))
  r.given_up = r.given_up or ARGV[i + 4] == '1'
  keep(place, r)
  finish(place, ARGV[i + 1])
end
return 1
