-- Ends a place and frees its slot at once; a place that never was in the line is marked ended, too.
--
-- ARGV: 1 place, 2 reason (finished, left, session_over, lapsed_out), 3 '1' when given up for a new one,
--       4 its generation as the asker knows it, or nothing: a place that has moved on is not theirs to end
-- Returns: {header, describe()}; {header} when restoring.

if restoring then return { header() } end
if ARGV[4] then
  local _, generation = held(ARGV[1])
  if generation ~= int(ARGV[4]) then return { header(), describe(ARGV[1]) } end
end
if finish(ARGV[1], ARGV[2]) then grant() end
if ARGV[3] == '1' then
  local r = record(ARGV[1])
  r.given_up = true
  keep(ARGV[1], r)
  -- a new number, so that the keeper writes it down
  count('ended_seq', 1)
  redis.call('ZADD', ENDED, control.ended_seq, ARGV[1])
end
return { header(), describe(ARGV[1]) }
