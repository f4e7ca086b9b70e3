-- Writes one change of a session, completely or not at all, and once however often it is sent.
-- KEYS[1]  va:{<session>}:memo; the other keys share its hash tag, so they live in the same slot
-- ARGV     1 token of this commit   2 event id or ''     3 expected version or '' (any)
--          4 TTL in seconds         5 schema number      6 instance id    7 lease in ms
--          8 owner's command id or ''  9 owner's fence   10 call JSON or ''  11 journal JSON or ''
--          then operations, an opcode and its arguments each (see ARITY)
-- Returns  {outcome, version, command id, fence, command id, fence ...}
-- JSON is never parsed here: values pass through as the text they are.
local ARITY = {
  S = 2, -- set a memo field: field, text
  D = 1, -- delete a memo field: field
  R = 1, -- empty a thread: thread
  C = 4, -- drop the oldest of a thread: thread, its length as read, bytes, messages
  A = 3, -- append to a thread: thread, messages, fragments joined by a comma
  ['+'] = 2, -- new outbox entry: command id, JSON
  ['-'] = 1, -- outbox entry done: command id
  ['!'] = 2, -- take over an outbox entry: command id, fence it must still have
}
local FIRST_OP, JOURNAL_LENGTH, TOKENS, TOKEN_CHARS = 12, 5000, 64, 12

local memo = KEYS[1]
local base = string.sub(memo, 1, -5)
local seen, outbox, journal = base .. 'seen', base .. 'outbox', base .. 'journal'
local token, event, expected, ttl = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local schema, instance, lease = ARGV[5], ARGV[6], tonumber(ARGV[7])
local owner, owner_fence, call, entry_of_journal = ARGV[8], ARGV[9], ARGV[10], ARGV[11]

-- An outbox entry is fence:lease end in ms:instance:JSON.
local function read_entry(id)
  local raw = redis.call('HGET', outbox, id)
  if not raw then return nil end
  local fence, ends, holder, command = string.match(raw, '^(%d+):(%d+):([^:]*):(.*)$')
  if not fence then return nil end
  return {fence = fence, ends = tonumber(ends), holder = holder, command = command}
end

local stored = redis.call('HMGET', memo, 'version', 'schema')
local version = stored[1] or '0'
local is_retry = false
local recent = redis.call('HGET', seen, 'recent') or ''
local by = event ~= '' and redis.call('HGET', seen, 'e:' .. event)
if stored[2] and tonumber(stored[2]) > tonumber(schema) then
  return {'schema', version}
elseif string.find(recent, token, 1, true) or by == token then
  is_retry = true
elseif by then
  return {'seen', version}
elseif owner ~= '' then
  local held = read_entry(owner)
  if not held or held.fence ~= owner_fence then return {'refused', version} end
end
if not is_retry and expected ~= '' and expected ~= version then
  return {'conflict', version}
end

if is_retry then
  -- Our own commit whose answer was lost: say what it gave us and still is ours.
  local answer = {'applied', version}
  local at = FIRST_OP
  while at <= #ARGV do
    local op = ARGV[at]
    local held = (op == '+' or op == '!') and read_entry(ARGV[at + 1])
    if held and held.holder == instance and not (op == '!' and held.fence == ARGV[at + 2]) then
      answer[#answer + 1] = ARGV[at + 1]
      answer[#answer + 1] = held.fence
    end
    at = at + 1 + ARITY[op]
  end
  return answer
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = string.format('%.0f', now + lease)
if stored[2] ~= schema then redis.call('HSET', memo, 'schema', schema) end
if call ~= '' then
  redis.call('HSET', memo, 'call', call)
  version = string.format('%.0f', redis.call('HINCRBY', memo, 'version', 1))
end
local answer = {'applied', version}

local function hold(id, command)
  local fence = string.format('%.0f', redis.call('HINCRBY', memo, 'fence', 1))
  redis.call('HSET', outbox, id, fence .. ':' .. ends .. ':' .. instance .. ':' .. command)
  answer[#answer + 1] = id
  answer[#answer + 1] = fence
end

-- The result of a command proves that its owner is alive, so the lease starts again.
local held = owner ~= '' and read_entry(owner)
if held then
  redis.call('HSET', outbox, owner, held.fence .. ':' .. ends .. ':' .. held.holder .. ':' .. held.command)
end

local apply = {
  S = function(field, text) redis.call('HSET', memo, field, text) end,
  D = function(field) redis.call('HDEL', memo, field) end,
  R = function(thread)
    redis.call('DEL', base .. 'history:' .. thread)
    redis.call('HDEL', memo, 'h:' .. thread)
  end,
  C = function(thread, length, bytes, messages)
    local key = base .. 'history:' .. thread
    -- Only what was read may be dropped; a longer thread is compacted by the next reader.
    if redis.call('STRLEN', key) ~= tonumber(length) then return end
    local dropped = redis.call('GETRANGE', key, 0, bytes - 2)
    redis.call('XADD', journal, 'MAXLEN', '~', JOURNAL_LENGTH, '*', 'thread', thread, 'messages', dropped)
    redis.call('SET', key, redis.call('GETRANGE', key, bytes, -1))
    redis.call('HINCRBY', memo, 'h:' .. thread, '-' .. messages)
  end,
  A = function(thread, messages, text)
    local key = base .. 'history:' .. thread
    if redis.call('STRLEN', key) > 0 then text = ',' .. text end
    redis.call('APPEND', key, text)
    redis.call('HINCRBY', memo, 'h:' .. thread, messages)
  end,
  ['+'] = hold,
  ['-'] = function(id) redis.call('HDEL', outbox, id) end,
  ['!'] = function(id, fence)
    local entry = read_entry(id)
    if entry and entry.fence == fence and entry.ends <= now then hold(id, entry.command) end
  end,
}
local at = FIRST_OP
while at <= #ARGV do
  local op = ARGV[at]
  apply[op](ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
  at = at + 1 + ARITY[op]
end

recent = token .. string.sub(recent, 1, (TOKENS - 1) * TOKEN_CHARS)
if event ~= '' then
  redis.call('HSET', seen, 'recent', recent, 'e:' .. event, token)
else
  redis.call('HSET', seen, 'recent', recent)
end
if entry_of_journal ~= '' then
  redis.call('XADD', journal, 'MAXLEN', '~', JOURNAL_LENGTH, '*', 'entry', entry_of_journal)
end
for _, key in ipairs({memo, seen, outbox, journal, base .. 'ledger'}) do
  redis.call('EXPIRE', key, ttl)
end
for _, field in ipairs(redis.call('HKEYS', memo)) do
  if string.sub(field, 1, 2) == 'h:' then
    redis.call('EXPIRE', base .. 'history:' .. string.sub(field, 3), ttl)
  end
end
return answer
