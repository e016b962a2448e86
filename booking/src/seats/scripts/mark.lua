-- Purpose: write down what Postgres decided: these seats are the owner's.
-- KEYS: see sweep.lua
-- ARGV[1] owner, ARGV[2] ms from now until they are free again by themselves (0: never), ARGV[3...] ordinals
-- Returns: 1, or 0 without a projection
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local deadline_ms = 0
if tonumber(ARGV[2]) > 0 then deadline_ms = now_ms + tonumber(ARGV[2]) end
for i = 3, #ARGV do take(ARGV[i], ARGV[1], deadline_ms) end
return 1
