-- What the keeper has to write down of a line.
--
-- Returns: {} when there is none; else {'1' or '0': whether the server runs on since the line was last
--          looked after, field, value, ... of the control}

if control.epoch == nil then return {} end
local answer = { is_another_run(true) and '0' or '1' }
for field, value in pairs(control) do
  answer[#answer + 1] = field
  answer[#answer + 1] = value
end
return answer
