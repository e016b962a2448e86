-- Makes or changes a drop's control.
--
-- ARGV: 1 what: 'create' (only when missing) | 'apply' | 'notice' | 'stock' | 'watchdog'
--       create, stock: then field, value pairs
--       apply: then version, 'going' | 'paused' | 'ended', the reason of a pause, field, value pairs;
--              an order no newer than the last one changes nothing, so orders may be repeated
--       notice: then the notice as JSON
--       watchdog: then how long booking may be silent (µs) and the reason fans read when it is
-- Returns: 1, or 0 when there is nothing to change (restoring).

local what = ARGV[1]
local function pause(reason, by_itself)
  if paused_at == 0 then redis.call('HSET', CONTROL, 'paused_at', text(now)) end
  redis.call('HSET', CONTROL, 'pause_reason', reason, 'paused_by_itself', by_itself)
end

local function resume()
  redis.call('HSET', CONTROL, 'paused_us', text(paused_us), 'paused_at', '0', 'pause_reason', '', 'paused_by_itself', '0')
end

local function assign(from)
  for i = from, #ARGV, 2 do
    redis.call('HSET', CONTROL, ARGV[i], ARGV[i + 1])
    control[ARGV[i]] = ARGV[i + 1]
  end
end

if what == 'create' then
  if restoring then assign(2); changed('drop') end
  return 1
end
if restoring then return 0 end

if what == 'apply' then
  local version, phase, reason = ARGV[2], ARGV[3], ARGV[4]
  if int(version) <= int(control.version) then return 1 end
  assign(5)
  redis.call('HSET', CONTROL, 'version', version)
  if phase == 'paused' then
    pause(reason, '0')
  elseif phase == 'ended' then
    if not is_ended then redis.call('HSET', CONTROL, 'ended_at', text(now)) end
  elseif paused_at > 0 and control.paused_by_itself ~= '1' then
    resume()
  end
elseif what == 'notice' then
  redis.call('HSET', CONTROL, 'notice', ARGV[2])
elseif what == 'watchdog' then
  -- a drop whose booking never reported is not watched; what an operator paused stays paused
  local silent = int(control.stock_at) > 0 and now - int(control.stock_at) > int(ARGV[2])
  if silent and paused_at == 0 then
    pause(ARGV[3], '1')
  elseif not silent and control.paused_by_itself == '1' then
    resume()
  else
    return 1
  end
elseif what == 'stock' then
  local was = control.sold_out or '0'
  assign(2)
  redis.call('HSET', CONTROL, 'stock_at', text(now))
  local capacity, sold = int(control.capacity), int(control.sold)
  control.sold_out = capacity > 0 and sold >= capacity and '1' or '0'
  redis.call('HSET', CONTROL, 'sold_out', control.sold_out)
  if was == control.sold_out then return 1 end
end
changed('drop')
return 1
