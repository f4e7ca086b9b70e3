-- Expects a one-time code; what was expected before is forgotten.
-- KEYS[1] hash of the code   ARGV 1 digest   2 tries   3 TTL in seconds
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'digest', ARGV[1], 'tries', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
