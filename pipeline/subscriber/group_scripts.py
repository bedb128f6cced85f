"""The scripts of a group reader: what Redis must execute atomically."""

from __future__ import annotations

from pipeline.redis_store.names import FIELD

STARTED_MIDWAY = "*"  # in the hash of seen numbers: the group started in the middle of the stream

# Create the group unless it exists, and set the sequence numbers that it counts as seen.
# KEYS: stream, newest numbers, seen numbers. ARGV: group, start.
CREATE_GROUP = f"""
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], ARGV[2], 'MKSTREAM')
if made.err then
  if string.find(made.err, 'BUSYGROUP') then return 0 end
  return made
end
redis.call('DEL', KEYS[3])
if ARGV[2] == '$' then
  local newest = redis.call('HGETALL', KEYS[2])
  for i = 1, #newest, 2 do redis.call('HSET', KEYS[3], newest[i], newest[i + 1]) end
elseif ARGV[2] ~= '0' then
  redis.call('HSET', KEYS[3], '{STARTED_MIDWAY}', 1)
end
return 1
"""

# Read new entries for a consumer, each with the newest sequence number that the group had seen
# before of the same camera and run (-1: unknown). Atomic, so that the number is right whichever
# consumer reads what. A gap is also stored until a consumer has reported it: the reply may be lost.
# KEYS: stream, seen numbers, their ages, gaps. ARGV: group, consumer, count, now, forget before.
READ_NEW = f"""
local reply = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', ARGV[3],
                         'STREAMS', KEYS[1], '>')
local found = {{}}
if reply then
  for _, entry in ipairs(reply[1][2]) do
    local text, before = false, -1
    for i = 1, #entry[2], 2 do
      if entry[2][i] == '{FIELD}' then text = entry[2][i + 1] end
    end
    local ok, event = pcall(cjson.decode, text or '')
    if ok and type(event) == 'table' and type(event.run_id) == 'string'
        and type(event.camera_id) == 'string' and type(event.seq) == 'number' then
      local origin = event.run_id .. '/' .. event.camera_id
      local seen = redis.call('HGET', KEYS[2], origin)
      if seen then before = tonumber(seen)
      elseif redis.call('HEXISTS', KEYS[2], '{STARTED_MIDWAY}') == 0 then before = 0 end
      if before >= 0 and event.seq > before + 1 then
        local first = string.format('%s %d', origin, before + 1)
        redis.call('HSET', KEYS[4], first, string.format('%d', event.seq - 1))
      end
      if event.seq > before then
        redis.call('HSET', KEYS[2], origin, string.format('%d', event.seq))
        redis.call('ZADD', KEYS[3], ARGV[4], origin)
      end
    end
    found[#found + 1] = {{entry[1], text, before}}
  end
  for _, origin in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', ARGV[5], 'LIMIT', 0, 10)) do
    redis.call('ZREM', KEYS[3], origin)
    redis.call('HDEL', KEYS[2], origin)
  end
end
local newest = '0-0'
if redis.call('EXISTS', KEYS[1]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then newest = info[i + 1] end
  end
end
return {{newest, found}}
"""
