-- Ends a place and frees its slot at once; a place that never was in the line is marked ended, too.
--
-- ARGV: 1 place, 2 reason (finished, left, session_over, lapsed_out), 3 '1' when given up for a new one
-- Returns: {header, describe()}; {header} when restoring.

if restoring then return { header() } end
finish(ARGV[1], ARGV[2])
if ARGV[3] == '1' then
  local r = record(ARGV[1])
  r.given_up = true
  keep(ARGV[1], r)
end
return { header(), describe(ARGV[1]) }
