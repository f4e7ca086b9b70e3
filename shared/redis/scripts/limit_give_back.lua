-- Uncounts a try; a counter that has ended meanwhile stays ended.
-- KEYS[1] counter
local count = tonumber(redis.call('GET', KEYS[1]) or '0')
if count <= 0 then return 0 end
return redis.call('DECR', KEYS[1])
