-- Puts admitted places back into a line that is being restored, as they were: the same admission, its
-- session as far gone as it is. Doing it twice changes nothing.
--
-- ARGV: for each place: place, order key, when it was called (drop time, µs), when it was granted (µs),
--       session deadline (drop time, µs)
-- Returns: 1, or 0 when the line is not being restored

if not restoring and not is_another_run(true) then return 0 end
for i = 1, #ARGV, 5 do
  local place = ARGV[i]
  if not redis.call('ZSCORE', ENDED, place) and not redis.call('ZSCORE', ACTIVE, place) then
    remove(place)
    keep(place, {
      key = int(ARGV[i + 1]), called_at = int(ARGV[i + 2]), granted_at = int(ARGV[i + 3]),
      session = int(ARGV[i + 4]), reason = '', given_up = false,
    })
    redis.call('ZADD', ACTIVE, ARGV[i + 4], place)
  end
end
return 1
