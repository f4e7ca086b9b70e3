-- Ends a claim: stores its result, or forgets it. What is done stays as it is.
-- KEYS[1] hash of the session, or the string of one key   ARGV[1] field, '' for a string
-- ARGV    2 'finish' or 'forget'   3 TTL in seconds   4 result JSON
local field, ttl = ARGV[1], ARGV[3]
local raw
if field == '' then raw = redis.call('GET', KEYS[1]) else raw = redis.call('HGET', KEYS[1], field) end
if raw and string.sub(raw, 1, 2) == 'D\n' then return 0 end
if ARGV[2] == 'forget' then
  if field == '' then return redis.call('DEL', KEYS[1]) end
  return redis.call('HDEL', KEYS[1], field)
end
local fingerprint = raw and string.match(raw, '^P\n%d+\n[^\n]*\n(.*)$')
-- A claim that expired meanwhile leaves no fingerprint; a done entry without one never matches.
local entry = 'D\n' .. (fingerprint or '') .. '\n' .. ARGV[4]
if field == '' then
  redis.call('SET', KEYS[1], entry, 'EX', ttl)
else
  redis.call('HSET', KEYS[1], field, entry)
  if redis.call('TTL', KEYS[1]) < tonumber(ttl) then redis.call('EXPIRE', KEYS[1], ttl) end
end
return 1
