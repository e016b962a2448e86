-- What visitors have by their own places now; changes nothing.
--
-- ARGV: places
-- Returns: {header, tell()...}, each in one text with blanks between its fields; {header} when restoring.

if restoring then return { header() } end
local answers = { header() }
for i = 1, #ARGV do answers[i + 1] = table.concat(tell(ARGV[i], held(ARGV[i])), ' ') end
return answers
