-- Makes or changes a drop's control.
--
-- ARGV: 1 what: 'create' (only when missing) | 'reopen' (only when restoring) | 'apply' | 'notice' |
--              'stock' | 'watchdog' | 'estimates'
--       create, stock: then field, value pairs
--       reopen: then how long the fans have to come back (µs), then field, value pairs
--       apply: then version, 'going' | 'paused' | 'ended', the reason of a pause, field, value pairs;
--              an order no newer than the last one changes nothing, so orders may be repeated
--       notice: then the notice as JSON
--       watchdog: then how long booking may be silent (µs) and the reason fans read when it is
-- Returns: 1, or 0 when there is nothing to change (restoring).

local what = ARGV[1]

-- Who pauses a drop: an operator, whose word stands until it is taken back, or it pauses by itself,
-- while booking is silent or every ticket is in somebody's hands.
local BY_OPERATOR, BY_SILENCE, BY_COVER = '0', '1', '2'

local function pause(reason, by)
  if paused_at == 0 then redis.call('HSET', CONTROL, 'paused_at', text(now)) end
  redis.call('HSET', CONTROL, 'pause_reason', reason, 'paused_by_itself', by)
end

-- Goes on, unless what is left to sell is not free.
local function go_on()
  if control.covered == '1' then return pause('covered', BY_COVER) end
  if paused_at == 0 then return end
  redis.call('HSET', CONTROL, 'paused_us', text(paused_us), 'paused_at', '0', 'pause_reason', '', 'paused_by_itself', '0')
end

local function is_paused(by) return paused_at > 0 and (control.paused_by_itself or BY_OPERATOR) == by end

local function assign(from)
  for i = from, #ARGV, 2 do
    redis.call('HSET', CONTROL, ARGV[i], ARGV[i + 1])
    control[ARGV[i]] = ARGV[i + 1]
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
if what == 'reopen' then
  if restoring then
    assign(3)
    redis.call('HSET', CONTROL, 'regather_until', text(now + int(ARGV[2])))
    -- booking is asked anew whether it is there
    if int(control.capacity) > 0 then redis.call('HSET', CONTROL, 'stock_at', text(now)) end
    take_run()
    changed('drop')
    changed('gap')
  end
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
  assign(5)
  redis.call('HSET', CONTROL, 'version', version)
  if phase == 'paused' then
    pause(reason, BY_OPERATOR)
  elseif phase == 'ended' then
    if not is_ended then redis.call('HSET', CONTROL, 'ended_at', text(now), 'covered', '0') end
    -- the sessions of those inside run out from here on, whatever had stopped them
    control.covered = '0'
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
  control.covered = capacity > sold and held + sold >= capacity and '1' or '0'
  redis.call('HSET', CONTROL, 'stock_at', text(now), 'sold_out', control.sold_out, 'covered', control.covered)
  if was_sold_out == control.sold_out and was_covered == control.covered then return 1 end
  -- a drop that has not opened or is paused by others needs no word of it now
  if control.covered == '1' and paused_at == 0 or is_paused(BY_COVER) then go_on() end
end
changed('drop')
return 1
