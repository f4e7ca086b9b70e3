-- Claims an idempotency key, or says what is known of it.
-- KEYS[1] hash of the session, or the string of one key   ARGV[1] field, '' for a string
-- ARGV    2 fingerprint   3 token of this claim   4 TTL in seconds   5 unknown after ms
-- An entry is P\n<started ms>\n<token>\n<fingerprint> or D\n<fingerprint>\n<result JSON>.
local field, fingerprint, token, ttl = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local raw
if field == '' then raw = redis.call('GET', KEYS[1]) else raw = redis.call('HGET', KEYS[1], field) end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if raw then
  local by, result = string.match(raw, '^D\n([^\n]*)\n(.*)$')
  if by then
    if by ~= fingerprint then return {'mismatch'} end
    return {'done', result}
  end
  local started, holder, of = string.match(raw, '^P\n(%d+)\n([^\n]*)\n(.*)$')
  if not started then return {'unknown'} end
  if of ~= fingerprint then return {'mismatch'} end
  if holder == token then return {'fresh'} end
  if now - tonumber(started) >= tonumber(ARGV[5]) then return {'unknown'} end
  return {'in_progress'}
end
local entry = 'P\n' .. string.format('%.0f', now) .. '\n' .. token .. '\n' .. fingerprint
if field == '' then
  redis.call('SET', KEYS[1], entry, 'EX', ttl)
else
  redis.call('HSET', KEYS[1], field, entry)
  if redis.call('TTL', KEYS[1]) < tonumber(ttl) then redis.call('EXPIRE', KEYS[1], ttl) end
end
return {'fresh'}
