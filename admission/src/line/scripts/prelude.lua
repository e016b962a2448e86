-- What every script of a drop's line shares; it is put before each of them.
--
-- KEYS: 1 control, 2 lobby, 3 waiting, 4 called, 5 claims, 6 active, 7 ended, 8 bucket,
--       9 records, 10 changes, 11 accounts, 12 grants, 13 moves, 14 codes, 15 mails, 16 face, 17 entrants
--       (see keys.rs for shapes)
--
-- Times are microseconds. `now` is Redis's clock, read once a run. Deadlines run in *drop time*:
-- the clock minus all time spent paused, so that nothing lapses while a drop is paused. The sessions of
-- those inside run on while it pauses for want of tickets (`session_now`): they hold them.
-- Numbers above 2^31 must be written with text(): Lua's tostring would round them.

local CONTROL, LOBBY, WAITING, CALLED, CLAIMS, ACTIVE = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local ENDED, BUCKET, RECORDS, CHANGES, ACCOUNTS = KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11]
local GRANTS, MOVES, CODES, MAILS, FACE, ENTRANTS = KEYS[12], KEYS[13], KEYS[14], KEYS[15], KEYS[16], KEYS[17]

local CHANGES_MAX = 100000 -- entries kept for the waitrooms to read; they read many times a second

local function int(value) return tonumber(value or 0) or 0 end
local function text(number) return string.format('%.0f', number) end

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local control = {}
do
  local flat = redis.call('HGETALL', CONTROL)
  for i = 1, #flat, 2 do control[flat[i]] = flat[i + 1] end
end

-- The present run of the server, which a restart and a failover change. Asking costs 10 µs, so
-- LASTSAVE, which moves with every start, is asked first; the release loop asks both (a replica may
-- have started in the same second as its primary).
local function run_id() return redis.call('INFO', 'server'):match('run_id:(%x+)') or '' end

local function is_another_run(surely)
  if not control.run_id then return false end -- a line made before runs were told apart
  local saved_at = text(redis.call('LASTSAVE'))
  if saved_at == control.saved_at and not surely then return false end
  if run_id() ~= control.run_id then
    redis.call('HSET', CONTROL, 'saved_at', '') -- from here on everybody asks
    return true
  end
  if saved_at ~= control.saved_at then redis.call('HSET', CONTROL, 'saved_at', saved_at) end
  return false
end

-- Nothing can be said of a drop whose control is missing (unknown, or lost and not yet restored), nor
-- under another run of the server, which may have forgotten the last second, before it was compared
-- with what Postgres knows (see marks.rs).
local restoring = control.epoch == nil or is_another_run(false)

local paused_at = int(control.paused_at)
local paused_us = int(control.paused_us) + (paused_at > 0 and now - paused_at or 0)
local drop_now = now - paused_us
local function wall(deadline) return deadline > 0 and deadline + paused_us or 0 end

-- who pauses: '0' an operator, '1' booking is silent, '2' no ticket is free (see control.lua)
local is_paused_for_stock = paused_at > 0 and control.paused_by_itself == '2'
local covered_us = int(control.covered_us) + (is_paused_for_stock and now - paused_at or 0)
local session_now = drop_now + covered_us
local function session_wall(deadline) return deadline > 0 and deadline + paused_us - covered_us or 0 end

local opens_at = int(control.opens_at)
local is_open = opens_at > 0 and now >= opens_at
local lobby_closes_at = int(control.lobby_closes_at)
local is_list_closed = is_open or (lobby_closes_at > 0 and now >= lobby_closes_at)
local is_ended = int(control.ended_at) > 0
local is_sold_out = int(control.sold_out) > 0
-- every ticket is held or sold, and some are only held: they may come back
local is_covered = int(control.covered) > 0
-- after a loss nobody is called or granted while the fans come back
local is_regathering = int(control.regather_until) > now

local function changed(kind, place)
  redis.call('XADD', CHANGES, 'MAXLEN', '~', CHANGES_MAX, '*', 'k', kind, 'p', place or '')
end

local function count(field, by)
  control[field] = text(redis.call('HINCRBY', CONTROL, field, by))
end

-- The record of a place that was called: order key, time of the call and of the grant, session
-- deadline (drop time), why it ended, whether it was given up for a new place.
local function unpacked(packed)
  if not packed then return nil end
  local key, called_at, granted_at, session, reason, given_up =
    packed:match('^(%d+):(%d+):(%d+):(%d+):([%a_]*):(%d)$')
  return {
    key = int(key), called_at = int(called_at), granted_at = int(granted_at),
    session = int(session), reason = reason, given_up = given_up == '1',
  }
end

local function pack(r)
  return text(r.key) .. ':' .. text(r.called_at) .. ':' .. text(r.granted_at)
    .. ':' .. text(r.session) .. ':' .. r.reason .. ':' .. (r.given_up and '1' or '0')
end

local function record(place) return unpacked(redis.call('HGET', RECORDS, place)) end

local function keep(place, r) redis.call('HSET', RECORDS, place, pack(r)) end

-- Takes a place out of whatever part of the line it stands in.
local function remove(place)
  redis.call('ZREM', LOBBY, place)
  local waited = redis.call('ZREM', WAITING, place) == 1
  redis.call('ZREM', CALLED, place)
  redis.call('ZREM', CLAIMS, place)
  local was_inside = redis.call('ZREM', ACTIVE, place) == 1
  return waited, was_inside
end

-- Ends a place for good and frees whatever it took. Returns false when it had ended before.
local function finish(place, reason)
  if redis.call('ZSCORE', ENDED, place) then return false end
  local r = record(place)
  if not r then
    local key = redis.call('ZSCORE', WAITING, place)
    r = { key = int(key), called_at = 0, granted_at = 0, session = 0, reason = '', given_up = false }
  end
  local waited, was_inside = remove(place)
  if waited then count('leaves_total', 1) end
  if was_inside then count('freed_total', 1) end
  r.reason = reason
  keep(place, r)
  count('ended_seq', 1)
  redis.call('ZADD', ENDED, control.ended_seq, place)
  changed(reason, place)
  return true
end

-- What a place is now: {state, order key, claim deadline, granted at, session deadline, rank, given up},
-- deadlines on the clock as they stand; rank is 0-based in the waiting line, -1 elsewhere. A state of
-- 'lobby' with an order key is that of a latecomer, who stands behind the draw.
local function describe(place)
  local session = redis.call('ZSCORE', ACTIVE, place)
  if session then
    local r = record(place)
    return { 'admitted', text(r.key), '0', text(r.granted_at), text(session_wall(int(session))), '-1', '0' }
  end
  local claim = redis.call('ZSCORE', CLAIMS, place)
  if claim then return { 'claiming', text(int(claim)), '0', '0', '0', '-1', '0' } end
  local deadline = redis.call('ZSCORE', CALLED, place)
  if deadline then
    local r = record(place)
    deadline = int(deadline)
    local state = deadline > drop_now and 'called' or 'lapsed'
    return { state, text(r.key), text(wall(deadline)), '0', '0', '-1', '0' }
  end
  local key = redis.call('ZSCORE', WAITING, place)
  if key then
    -- While the lobby is drawn, nobody of it knows a rank yet, and all of it stands before latecomers.
    local undrawn = is_open and redis.call('ZCARD', LOBBY) or 0
    if undrawn > 0 and int(key) < opens_at then return { 'drawing', '0', '0', '0', '0', '-1', '0' } end
    -- who came after the list of the draw had closed stands behind it, and hears no rank before the opening
    if not is_open then return { 'lobby', text(int(key)), '0', '0', '0', '-1', '0' } end
    local rank = redis.call('ZRANK', WAITING, place) + undrawn
    return { 'waiting', text(int(key)), '0', '0', '0', text(rank), '0' }
  end
  if redis.call('ZSCORE', LOBBY, place) then
    return { is_open and 'drawing' or 'lobby', '0', '0', '0', '0', '-1', '0' }
  end
  if redis.call('ZSCORE', ENDED, place) then
    local r = record(place)
    return { r.reason, text(r.key), '0', text(r.granted_at), '0', '-1', r.given_up and '1' or '0' }
  end
  return { 'none', '0', '0', '0', '0', '-1', '0' }
end

-- MOVES: place → 'generation:visitor hash' of whoever holds a place that was moved to another device;
-- '@place' of the holder's own → the moved one; '#number' → a move the keeper has yet to write down.
local has_moves, has_mails -- asked once a run: most lines have neither
local function is_there(key) return redis.call('EXISTS', key) == 1 end

-- What the visitor whose own place is `own` has: the place, its generation (0: never moved) and the
-- visitor hash of its holder ('': the visitor it was made of).
local function held(own)
  if has_moves == nil then has_moves = is_there(MOVES) end
  if not has_moves then return own, 0, '' end
  local known = redis.call('HMGET', MOVES, '@' .. own, own)
  local place = known[1] or own
  local packed = known[1] and redis.call('HGET', MOVES, place) or known[2]
  if not packed then return place, 0, '' end
  local generation, holder = packed:match('^(%d+):(.*)$')
  return place, int(generation), holder
end

-- describe() of what held() said, and after it, where there is anything to tell: place, generation, holder,
-- whether a mail is asked for.
local function tell(own, place, generation, holder)
  local answer = describe(place)
  if has_mails == nil then has_mails = is_there(MAILS) end
  local mail = has_mails and redis.call('HEXISTS', MAILS, place) == 1
  if place ~= own or generation > 0 or mail then
    local n = #answer
    answer[n + 1], answer[n + 2], answer[n + 3] = place, text(generation), holder
    answer[n + 4] = mail and '1' or '0'
  end
  return answer
end

-- Gives a place to the visitor whose own place is `own`. Whoever had it hears of it.
local function move(place, generation, visitor, own)
  count('moves_seq', 1)
  redis.call('HSET', MOVES, place, text(generation) .. ':' .. visitor, '@' .. own, place,
    '#' .. control.moves_seq, place .. ':' .. text(generation) .. ':' .. own .. ':' .. visitor)
  has_moves = true
  changed('moved', place)
end

-- The state of the drop itself, first in every answer.
local function header()
  return {
    text(now), restoring and '0' or control.epoch, text(opens_at), text(paused_at), control.pause_reason or '',
    control.ended_at or '0', control.sold_out or '0', control.rate or '0', control.max_active or '0',
    control.regather_until or '0', control.join_requires or 'none', control.events or '[]',
    control.notice or '', control.title or '', control.claim_us or '0', control.grace_us or '0',
    control.session_us or '0', control.covered or '0', control.lobby_closes_at or '0',
  }
end

-- Grants waiting claims in order of key from the token bucket. The bucket counts in units of
-- 1/60,000,000 token, so that rate per minute × microseconds is exact in a double.
local TOKEN = 60000000
local GRANTS_MAX = 1000 -- a run

local function grant()
  local rate = int(control.rate)
  local burst = math.max(TOKEN, rate * 250000)
  local bucket = redis.call('HMGET', BUCKET, 'units', 'at', 'idle', 'starved')
  local units, at, was_idle, was_full = int(bucket[1]), int(bucket[2]), bucket[3] ~= '0', bucket[3] == '2'
  local clock = math.max(now, at) -- a clock set back must not reopen a second that was used
  local claims = redis.call('ZCARD', CLAIMS)
  local room = int(control.max_active) - redis.call('ZCARD', ACTIVE)
  local stopped = paused_at > 0 or is_ended or is_sold_out or is_covered or not is_open or is_regathering
    or claims + redis.call('ZCARD', CALLED) + redis.call('ZCARD', WAITING) == 0
  local is_full = not stopped and room <= 0
  local idle = stopped or is_full
  local flowed = rate * math.min(clock - at, 1000000)
  if not idle and not was_idle then
    units = units + flowed
  elseif was_full and not stopped then
    -- a full house saves up one token, for the slot that comes free next
    units = math.max(units, math.min(units + flowed, TOKEN))
  end
  if units > burst then
    -- what is lost while claims wait, a late run lost; what is lost without, calling too late did
    if bucket[4] == '1' then redis.call('HINCRBY', BUCKET, 'missed', text(units - burst)) end
    units = burst
  end
  local granted = 0
  if not idle and claims > 0 then
    local n = math.min(math.floor(units / TOKEN), room, claims, GRANTS_MAX)
    if n > 0 then
      local first = redis.call('ZRANGE', CLAIMS, 0, n - 1, 'WITHSCORES')
      local number = int(control.granted_total)
      for i = 1, #first, 2 do
        local place = first[i]
        local r = record(place)
        -- a record that says granted keeps its session: granting twice is the same admission
        if r.granted_at == 0 then
          r.granted_at = clock
          r.session = session_now + int(control.session_us)
        end
        keep(place, r)
        redis.call('ZREM', CLAIMS, place)
        redis.call('ZADD', ACTIVE, text(r.session), place)
        number = number + 1
        redis.call('ZADD', GRANTS, text(number), place)
        changed('admitted', place)
      end
      granted = n
      units = units - n * TOKEN
      count('granted_total', n)
    end
  end
  local starved = not idle and claims == granted and redis.call('ZCARD', WAITING) > 0
  redis.call('HSET', BUCKET, 'units', text(units), 'at', text(clock), 'idle', is_full and '2' or idle and '1' or '0',
    'starved', starved and '1' or '0')
  return granted
end
