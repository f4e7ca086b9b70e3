-- Everything of a session in one answer.
-- KEYS[1]  va:{<session>}:memo; the other keys share its hash tag, so they live in the same slot
-- ARGV[1]  event id, or '' when the caller has none
-- Returns  {now in ms, memo flat, threads flat, outbox flat, 1 if the event was applied before}
local base = string.sub(KEYS[1], 1, -5)
local time = redis.call('TIME')
local memo = redis.call('HGETALL', KEYS[1])
local threads = {}
for i = 1, #memo, 2 do
  if string.sub(memo[i], 1, 2) == 'h:' then
    local thread = string.sub(memo[i], 3)
    threads[#threads + 1] = thread
    threads[#threads + 1] = redis.call('GET', base .. 'history:' .. thread) or ''
  end
end
local is_seen = 0
if ARGV[1] ~= '' then
  is_seen = redis.call('HEXISTS', base .. 'seen', 'e:' .. ARGV[1])
end
local now_ms = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
return {now_ms, memo, threads, redis.call('HGETALL', base .. 'outbox'), is_seen}
