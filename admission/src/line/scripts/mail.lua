-- A fan asks to be written to when their place is called, or no longer.
--
-- ARGV: 1 place, 2 its generation as the asker knows it, 3 the sealed address, or '' for none
-- Returns: {header, {word}}; {header} when restoring.
--   kept, late (called, or inside already), gone (on another device, ended, or never there)

if restoring then return { header() } end

local WAITS = { lobby = true, drawing = true, waiting = true }
local LATE = { called = true, lapsed = true, claiming = true, admitted = true }

local place, sealed = ARGV[1], ARGV[3]
local _, generation = held(place)
if generation ~= int(ARGV[2]) then return { header(), { 'gone' } } end
if sealed == '' then
  if redis.call('HDEL', MAILS, place) == 1 then changed('mail', place) end
  return { header(), { 'kept' } }
end
local state = describe(place)[1]
if is_ended or not WAITS[state] then return { header(), { LATE[state] and 'late' or 'gone' } } end
redis.call('HSET', MAILS, place, sealed)
changed('mail', place)
return { header(), { 'kept' } }
