-- What visitors have by their own places now; changes nothing.
--
-- ARGV: places
-- Returns: {header, answers}: tell() for each, in one text as join.lua has it; {header} when restoring.

if restoring then return { header() } end
local answers = {}
for i = 1, #ARGV do answers[i] = table.concat(tell(ARGV[i], held(ARGV[i])), ' ') end
return { header(), table.concat(answers, '\n') }
