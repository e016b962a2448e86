-- Gives places in the line; a place that exists is answered as it stands, in every state.
-- Whether the drop is open is read off Redis's clock, never off a flag.
--
-- ARGV: for each place: place, order key of its pass or '0', epoch of its pass or '0', account or ''
--       (a place that a lost Redis forgot comes back at the key of its pass, of an earlier epoch; one
--       from the lobby has none and goes to the lobby, where the draw gives it the same key again)
-- Returns: {header, answer...}; an answer is describe() with 'new' or 'known' before it,
--          {'bound'} when the account has another live place, {'over'} when there is no place and
--          the drop has ended. {header} when restoring.

if restoring then return { header() } end

local answers = { header() }
local last_key = int(control.last_key)
for i = 1, #ARGV, 4 do
  local place, old_key, account = ARGV[i], int(ARGV[i + 1]), ARGV[i + 3]
  local epoch = int(ARGV[i + 2])
  local is_old = epoch > 0 and epoch < int(control.epoch)
  local answer = describe(place)
  local fresh = 'known'
  if answer[1] == 'none' then
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
      else
        redis.call('ZADD', LOBBY, text(now), place)
      end
      answer = describe(place)
    end
  end
  if #answer > 1 then table.insert(answer, 1, fresh) end
  answers[#answers + 1] = answer
end
if last_key > int(control.last_key) then
  redis.call('HSET', CONTROL, 'last_key', text(last_key))
end
return answers
