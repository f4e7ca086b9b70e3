-- Adds counts to a table, once however often it is sent. Never fails: a commit rides with it.
-- KEYS[1] the table   KEYS[2] remembers that this was done   (one hash tag, so one slot)
-- ARGV    1 seconds the table lives   2 seconds to remember   then fields and what to add to each
if not redis.pcall('SET', KEYS[2], 1, 'NX', 'EX', ARGV[2]) then
  return 0
end
for at = 3, #ARGV, 2 do
  redis.pcall('HINCRBY', KEYS[1], ARGV[at], ARGV[at + 1])
end
redis.pcall('EXPIRE', KEYS[1], ARGV[1])
return 1
