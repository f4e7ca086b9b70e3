-- Counts a try, unless the limit is reached.
-- KEYS[1] counter   ARGV 1 limit   2 TTL in seconds, from the first try on
local count = tonumber(redis.call('GET', KEYS[1]) or '0')
if count >= tonumber(ARGV[1]) then return 0 end
if redis.call('INCR', KEYS[1]) == 1 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
return 1
