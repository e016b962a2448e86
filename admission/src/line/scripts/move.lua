-- Moves a place to another device: a code is issued to its holder, and whoever hands it in holds the place.
--
-- ARGV: 1 'issue' | 'redeem', 2 code, 3 account or ''
--       issue:  4 place, 5 its generation as the asker knows it
--       redeem: 4 the asker's own place of this turn, 5 base64url of their visitor hash
-- Returns: {header, {word, ...}}; {header} when restoring.
--   issue:  until + when it runs out (µs), clash, gone, inside, often, full
--   redeem: moved + tell() of the place, unknown, inside, account, occupied,
--           ended + what has to be given up first, next (this turn is over)
--
-- CODES: code → 'place:generation:until:account', and '@place' → its one live code.

if restoring then return { header() } end

local CODE_LIFE = 180000000 -- µs a code is good for
local CODES_MAX = 50000     -- codes of a drop alive at a time
local MOVES_MAX = 16        -- times a place may be moved
local SWEEP = 8             -- codes looked at for each one issued: more go than come, so that few dead ones stay

local MOVABLE = { lobby = true, drawing = true, waiting = true, called = true, lapsed = true }
local INSIDE = { claiming = true, admitted = true }

local function read_code(code)
  local packed = redis.call('HGET', CODES, code)
  if not packed then return nil end
  local place, generation, until_us, account = packed:match('^([^:]+):(%d+):(%d+):(.*)$')
  return place and { place = place, generation = int(generation), until_us = int(until_us), account = account }
end

local function forget(code, place)
  redis.call('HDEL', CODES, code)
  if redis.call('HGET', CODES, '@' .. place) == code then redis.call('HDEL', CODES, '@' .. place) end
end

local function sweep()
  for _, field in ipairs(redis.call('HRANDFIELD', CODES, SWEEP)) do
    local known = field:sub(1, 1) ~= '@' and read_code(field)
    if known and known.until_us <= now then forget(field, known.place) end
  end
end

local function issue(code, account, place, generation)
  local _, known = held(place)
  local state = describe(place)[1]
  if known ~= generation or is_ended then return { 'gone' } end
  if INSIDE[state] then return { 'inside' } end
  if not MOVABLE[state] then return { 'gone' } end
  if generation >= MOVES_MAX then return { 'often' } end
  sweep()
  if redis.call('HEXISTS', CODES, code) == 1 then return { 'clash' } end
  local before = redis.call('HGET', CODES, '@' .. place)
  if before then
    forget(before, place)
  elseif redis.call('HLEN', CODES) >= 2 * CODES_MAX then
    return { 'full' }
  end
  local until_us = now + CODE_LIFE
  redis.call('HSET', CODES, code, place .. ':' .. generation .. ':' .. text(until_us) .. ':' .. account,
    '@' .. place, code)
  return { 'until', text(until_us) }
end

local function redeem(code, account, own, visitor)
  local known = read_code(code)
  if not known or known.until_us <= now or is_ended then return { 'unknown' } end
  local place, generation = held(known.place)
  if generation ~= known.generation then return { 'unknown' } end
  local state = describe(place)[1]
  if INSIDE[state] then return { 'inside' } end
  if not MOVABLE[state] then return { 'unknown' } end
  if known.account ~= '' and known.account ~= account then return { 'account' } end
  -- the asker's own turn must be free: one live place a visitor
  local mine, my_generation, holder = held(own)
  local there = describe(mine)[1]
  local is_theirs = my_generation == 0 or holder == visitor
  if is_theirs and (mine ~= own or there ~= 'none') then
    if there == 'none' or MOVABLE[there] or INSIDE[there] then return { 'occupied' } end
    if not record(mine).given_up then return { 'ended', mine } end
  end
  if mine ~= own or my_generation > 0 or there ~= 'none' then return { 'next' } end
  forget(code, place)
  if account ~= '' then redis.call('HSET', ACCOUNTS, account, place) end
  move(place, generation + 1, visitor, own)
  local answer = tell(own, held(own))
  table.insert(answer, 1, 'moved')
  return answer
end

if ARGV[1] == 'issue' then return { header(), issue(ARGV[2], ARGV[3], ARGV[4], int(ARGV[5])) } end
return { header(), redeem(ARGV[2], ARGV[3], ARGV[4], ARGV[5]) }
