-- Tries a one-time code: a right one is used up, a wrong one costs a try.
-- KEYS[1] hash of the code   ARGV[1] who tries, '' for nobody in particular   ARGV[2..] digests
local found = redis.call('HMGET', KEYS[1], 'digest', 'tries', 'used_by')
local digest, tries, used_by = found[1], found[2], found[3]
if not digest then return {'none', 0} end
local is_right = false
for at = 2, #ARGV do
  if ARGV[at] == digest then is_right = true end
end
if used_by then
  -- The same request once more, because its answer was lost.
  if is_right and used_by ~= '' and used_by == ARGV[1] then return {'right', 0} end
  return {'none', 0}
end
if tonumber(tries) <= 0 then return {'exhausted', 0} end
if is_right then
  redis.call('HSET', KEYS[1], 'used_by', ARGV[1])
  return {'right', 0}
end
local left = redis.call('HINCRBY', KEYS[1], 'tries', -1)
if left <= 0 then return {'exhausted', 0} end
return {'wrong', left}
