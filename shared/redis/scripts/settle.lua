-- Takes a session off the list of those with unfinished commands, unless it was listed anew.
-- KEYS[1] va:due   ARGV[1] session id   ARGV[2] the score that was read
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if score and tonumber(score) == tonumber(ARGV[2]) then
  return redis.call('ZREM', KEYS[1], ARGV[1])
end
return 0
