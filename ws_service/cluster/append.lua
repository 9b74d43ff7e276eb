-- Appends events to the log that all emitters read, and never leaves a gap. It is one step: whoever else appends, or
-- dies, it is done whole or not at all.
--
-- KEYS: the state of the log {epoch, position, bytes}; the log of the batch's epoch
-- ARGV: the prefix of all logs, the epoch, "live" or "history", the position that closes the hand-over or "", how many
--       events and how many bytes of payloads the log keeps; then for each event: seq, head, payload
-- Returns {1 if taken, epoch, position}; the position is nil until a hand-over is closed.
local state, log = KEYS[1], KEYS[2]
local prefix, epoch, is_history, closes_at = ARGV[1], ARGV[2], ARGV[3] == 'history', ARGV[4]
local keep_events, keep_bytes = tonumber(ARGV[5]), tonumber(ARGV[6])
local FIRST, STEP = 7, 3

local function answer(taken)
  local now = redis.call('HMGET', state, 'epoch', 'position')
  return {taken, now[1], now[2]}
end

local function seq_of(entry)
  return tonumber(string.match(entry[1], '^%d+'))
end

-- All bytes that were ever appended before an entry stand in it, so that what is kept is a difference.
local function bytes_before(entry)
  for index = 1, #entry[2], 2 do
    if entry[2][index] == 'b' then
      return tonumber(entry[2][index + 1])
    end
  end
end

local first = tonumber(ARGV[FIRST])
for index = FIRST + STEP, #ARGV, STEP do
  if tonumber(ARGV[index]) ~= tonumber(ARGV[index - STEP]) + 1 then
    return answer(0)
  end
end

local known = redis.call('HMGET', state, 'epoch', 'position')
local position = known[1] == epoch and tonumber(known[2] or nil)

if not is_history then
  if not position then
    return answer(0)
  end
elseif known[1] ~= epoch then
  if known[1] then
    redis.call('UNLINK', prefix .. known[1])
  end
  redis.call('UNLINK', state, log)
  redis.call('HSET', state, 'epoch', epoch)
elseif position then
  if not first or first <= position + 1 then
    return answer(0)
  end
  -- The relay's log itself does not hold any more what comes next here.
  redis.call('HDEL', state, 'position')
  redis.call('UNLINK', log)
  position = nil
end

local last = position
if not last then
  local newest = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  last = newest and seq_of(newest)
end

if first and last and first > last + 1 then
  if not is_history then
    return answer(0)
  end
  -- Another relay began anew and further on: its history is the one that will be completed.
  redis.call('UNLINK', log)
  last = nil
end

local bytes = tonumber(redis.call('HGET', state, 'bytes') or 0)
for index = FIRST, #ARGV, STEP do
  local seq = tonumber(ARGV[index])
  if not last or seq > last then
    local before = string.format('%.0f', bytes)
    redis.call('XADD', log, ARGV[index] .. '-0', 'h', ARGV[index + 1], 'p', ARGV[index + 2], 'b', before)
    bytes = bytes + #ARGV[index + 2]
    last = seq
  end
end
redis.call('HSET', state, 'bytes', string.format('%.0f', bytes))

-- The newest entry stays in any case: it says where the log is.
while last do
  local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
  if not oldest or seq_of(oldest) == last then
    break
  end
  if last - seq_of(oldest) < keep_events and bytes - bytes_before(oldest) <= keep_bytes then
    break
  end
  redis.call('XDEL', log, oldest[1])
end

if not is_history then
  redis.call('HSET', state, 'position', string.format('%.0f', last))
elseif closes_at ~= '' then
  if last and last ~= tonumber(closes_at) then
    return answer(0)
  end
  redis.call('HSET', state, 'position', closes_at)
end
return answer(1)
