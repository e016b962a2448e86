-- Gives places in the line; a place that exists is answered as it stands, in every state.
-- Whether the drop is open is read off Redis's clock, never off a flag.
--
-- ARGV: for each: own place, order key of its pass or '0', epoch of its pass or '0' (below 0 when the place
--       is only to be put back, never made anew), account or '',
--       base64url of the visitor hash, and ':place:generation' after it with the pass of a moved place
--       (a place that a lost Redis forgot comes back at the key of its pass, of an earlier epoch; one
--       from the lobby has none and goes to the lobby, where the draw gives it the same key again)
-- Returns: {header, answers}; an answer is tell() with 'new' or 'known' before it,
--          'bound' when the account has another live place, 'over' when there is no place and
--          the drop has ended. All in one text, a line for each and blanks between its fields: what reads
--          replies takes long for every value of its own.
--          {header} when restoring.

if restoring then return { header() } end

local INSIDE = { claiming = true, admitted = true }
local UNTAKEN = { none = true, lobby = true, drawing = true, waiting = true, called = true, lapsed = true }

-- What somebody has who comes with the pass of a moved place, of an earlier epoch. Of a move that was lost with
-- Redis nobody else knows: the later one wins, unless who came before it is inside already. nil: nothing by it.
local function by_pass(own, visitor, place, generation)
  local mine, moved = held(own)
  local is_free = mine == own and moved == 0 and describe(own)[1] == 'none'
  if place ~= own and mine ~= place and not is_free then return nil end
  local _, known, holder = held(place)
  local state = describe(place)[1]
  if generation > known and UNTAKEN[state] then
    move(place, generation, visitor, own)
    return place, generation, visitor
  end
  if holder == visitor and (UNTAKEN[state] or INSIDE[state]) then return place, known, holder end
end

local head, answers = header(), {}
local last_key = int(control.last_key)
for i = 1, #ARGV, 5 do
  local own, old_key, account, visitor = ARGV[i], int(ARGV[i + 1]), ARGV[i + 3], ARGV[i + 4]
  local epoch = math.abs(int(ARGV[i + 2]))
  local is_look = int(ARGV[i + 2]) < 0
  local is_old = epoch > 0 and epoch < int(control.epoch)
  local place, generation, holder
  local hash, moved, times = visitor:match('^([^:]+):([^:]+):(%d+)$')
  visitor = hash or visitor
  if is_old and moved then place, generation, holder = by_pass(own, visitor, moved, int(times)) end
  if not place then
    place, generation, holder = held(own)
    is_old = is_old and place == own and not moved -- the key of another place says nothing of this one
  end
  local answer = tell(own, place, generation, holder)
  local fresh, at_end = 'known', false
  -- (whoever moved a place away has no say in it any more)
  if answer[1] == 'none' and (generation == 0 or holder == visitor) and (is_old or not is_look) then
    local bound = account ~= '' and redis.call('HGET', ACCOUNTS, account)
    if is_ended then
      answer = { 'over' }
    elseif bound and bound ~= place and not redis.call('ZSCORE', ENDED, bound) then
      answer = { 'bound' }
    else
      fresh = 'new'
      if account ~= '' then redis.call('HSET', ACCOUNTS, account, place) end
      if is_old and old_key > 0 then
        redis.call('ZADD', WAITING, text(old_key), place)
      elseif is_open and not is_old then
        last_key = math.max(now, last_key + 1)
        redis.call('ZADD', WAITING, text(last_key), place)
        at_end = place == own and generation == 0 and not has_mails
      elseif is_list_closed and not is_old then
        -- too late for the draw: behind all whom it orders
        last_key = math.max(opens_at, now, last_key + 1)
        redis.call('ZADD', WAITING, text(last_key), place)
      else
        redis.call('ZADD', LOBBY, text(now), place)
      end
      if at_end then -- as nearly everybody in a burst: what tell() would find out is known already
        local rank = redis.call('ZCARD', WAITING) - 1 + redis.call('ZCARD', LOBBY)
        answer = { 'waiting', text(last_key), '0', '0', '0', text(rank), '0' }
      else
        answer = tell(own, place, generation, holder)
      end
    end
  end
  if #answer > 1 then table.insert(answer, 1, fresh) end
  answers[#answers + 1] = table.concat(answer, ' ')
end
if last_key > int(control.last_key) then
  redis.call('HSET', CONTROL, 'last_key', text(last_key))
end
return { head, table.concat(answers, '\n') }
