-- Shows what is known of the draw. Several processes tell it; who knows less does not overwrite more.
--
-- ARGV: 1 the proof as JSON, 2 how far it has come (grows with stage and places drawn), 3 '1' when everybody
--       should look at once, not with the next second
-- Returns: 1, or 0 when restoring.

if restoring then return 0 end
local known = redis.call('HMGET', FACE, 'draw', 'draw_progress')
if int(ARGV[2]) < int(known[2]) or known[1] == ARGV[1] then return 1 end
redis.call('HSET', FACE, 'draw', ARGV[1], 'draw_progress', ARGV[2])
if ARGV[3] == '1' then changed('drop') end
return 1
