-- Makes or changes a drop's control.
--
-- ARGV: 1 what: 'create' (only when missing) | 'restore', 'reopen' (only when restoring) | 'apply' | 'notice' |
--              'stock' | 'watchdog' | 'estimates'
--       create, stock: then field, value pairs
--       restore: then the epoch that the line gets when all is put back
--       reopen: then that epoch, how long the fans have to come back (µs), then field, value pairs
--       apply: then version, 'going' | 'paused' | 'ended', the reason of a pause, field, value pairs;
--              an order no newer than the last one changes nothing, so orders may be repeated
--       notice: then the notice as JSON
--       watchdog: then how long booking may be silent (µs) and the reason fans read when it is
-- Returns: 1, or 0 when there is nothing to change (restoring; for reopen: no longer restoring, or what was put
--          back since 'restore' is lost).

local what = ARGV[1]

-- Who pauses a drop: an operator, whose word stands until it is taken back, or it pauses by itself,
-- while booking is silent or no ticket is free (all are sold, or in somebody's hands).
local BY_OPERATOR, BY_SILENCE, BY_COVER = '0', '1', '2'

local function is_paused(by) return paused_at > 0 and (control.paused_by_itself or BY_OPERATOR) == by end

-- One pause after another: what has passed counts as time of the kind that it was.
local function pause(reason, by)
  if not is_paused(by) then
    redis.call('HSET', CONTROL, 'paused_us', text(paused_us), 'covered_us', text(covered_us), 'paused_at', text(now))
  end
  redis.call('HSET', CONTROL, 'pause_reason', reason, 'paused_by_itself', by)
end

-- Why nothing of an open drop's stock is free, if so.
local is_over = is_ended
local function taken()
  if is_over or not is_open then return nil end
  return control.sold_out == '1' and 'sold_out' or control.covered == '1' and 'covered' or nil
end

-- Goes on, unless what is left to sell is not free.
local function go_on()
  local reason = taken()
  if reason then return pause(reason, BY_COVER) end
  if paused_at == 0 then return end
  redis.call('HSET', CONTROL, 'paused_us', text(paused_us), 'covered_us', text(covered_us), 'paused_at', '0',
    'pause_reason', '', 'paused_by_itself', '0')
end

local function assign(from)
  for i = from, #ARGV, 2 do
    redis.call('HSET', CONTROL, ARGV[i], ARGV[i + 1])
    control[ARGV[i]] = ARGV[i + 1]
  end
end

-- Once the list of the draw is closed its times stand: the lobby would open again, and who came then would be
-- drawn without being on the list. Only an opening before its time may still come.
local function keep_times(from)
  for i = from, #ARGV, 2 do
    local asked = int(ARGV[i + 1])
    if ARGV[i] == 'lobby_closes_at' then
      ARGV[i + 1] = text(lobby_closes_at)
    elseif ARGV[i] == 'opens_at' and (is_open or asked == 0 or asked > opens_at) then
      ARGV[i + 1] = text(opens_at)
    end
  end
end

local function take_run()
  redis.call('HSET', CONTROL, 'run_id', run_id(), 'saved_at', text(redis.call('LASTSAVE')))
end

if what == 'create' then
  if control.epoch == nil then
    assign(2)
    take_run()
    changed('drop')
  end
  return 1
end
-- What is put back counts only if Redis did not lose it again before it was complete: cleared, the mark is
-- gone, and under another run it is not this run's.
local function restored_to(epoch) return epoch .. ':' .. run_id() end
if what == 'restore' then
  if not restoring and not is_another_run(true) then return 0 end
  redis.call('HSET', BUCKET, 'restored_to', restored_to(ARGV[2]))
  return 1
end
if what == 'reopen' then
  if not restoring or redis.call('HGET', BUCKET, 'restored_to') ~= restored_to(ARGV[2]) then return 0 end
  redis.call('HDEL', BUCKET, 'restored_to')
  assign(4)
  redis.call('HSET', CONTROL, 'epoch', ARGV[2], 'regather_until', text(now + int(ARGV[3])))
  -- booking is asked anew whether it is there
  if int(control.capacity) > 0 then redis.call('HSET', CONTROL, 'stock_at', text(now)) end
  take_run()
  changed('drop')
  changed('gap')
  return 1
end
if restoring then return 0 end

if what == 'estimates' then -- then how many proved early, right and late; nobody need be told
  count('estimates_early', ARGV[2])
  count('estimates_right', ARGV[3])
  count('estimates_late', ARGV[4])
  return 1
end

if what == 'apply' then
  local version, phase, reason = ARGV[2], ARGV[3], ARGV[4]
  if int(version) <= int(control.version) then return 1 end
  if is_list_closed then keep_times(5) end
  assign(5)
  redis.call('HSET', CONTROL, 'version', version)
  if phase == 'paused' then
    pause(reason, BY_OPERATOR)
  elseif phase == 'ended' then
    if not is_ended then redis.call('HSET', CONTROL, 'ended_at', text(now), 'covered', '0') end
    -- the sessions of those inside run out from here on, whatever had stopped them
    is_over = true
    go_on()
  elseif is_paused(BY_OPERATOR) then
    go_on()
  end
elseif what == 'notice' then
  redis.call('HSET', CONTROL, 'notice', ARGV[2])
elseif what == 'watchdog' then
  -- a drop whose booking never reported, or has no more to report, is not watched; what an operator
  -- paused stays paused
  if is_ended then return 1 end
  local silent = int(control.stock_at) > 0 and now - int(control.stock_at) > int(ARGV[2])
  if silent and (paused_at == 0 or is_paused(BY_COVER)) then
    pause(ARGV[3], BY_SILENCE)
  elseif not silent and is_paused(BY_SILENCE) then
    go_on()
  else
    return 1
  end
elseif what == 'stock' then
  local was_sold_out, was_covered = control.sold_out or '0', control.covered or '0'
  assign(2)
  local capacity, held, sold = int(control.capacity), int(control.held), int(control.sold)
  control.sold_out = capacity > 0 and sold >= capacity and '1' or '0'
  control.covered = not is_ended and capacity > sold and held + sold >= capacity and '1' or '0'
  redis.call('HSET', CONTROL, 'stock_at', text(now), 'sold_out', control.sold_out, 'covered', control.covered)
  -- a drop that has not opened, has ended or is paused by others is not paused for it
  local was_paused = is_paused(BY_COVER)
  if was_paused or paused_at == 0 and taken() then go_on() end
  local is_same = was_sold_out == control.sold_out and was_covered == control.covered
  if is_same and was_paused == (taken() ~= nil) then return 1 end
end
changed('drop')
return 1
