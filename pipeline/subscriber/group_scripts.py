"""The scripts of a group reader: what Redis must execute atomically."""

from __future__ import annotations

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

# Of the stream and the group: where they end. The group is nil where there is none.
_ENDS = """
local function value_of(info, name)
  for i = 1, #info, 2 do
    if info[i] == name then return info[i + 1] end
  end
end
local function ends()
  if redis.call('EXISTS', KEYS[1]) == 0 then return nil, '0-0' end
  local newest = value_of(redis.call('XINFO', 'STREAM', KEYS[1]), 'last-generated-id')
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    if value_of(group, 'name') == ARGV[1] then
      return value_of(group, 'last-delivered-id'), newest
    end
  end
  return nil, newest
end
local function behind(position, count)
  local rows = redis.pcall('XRANGE', KEYS[1], '(' .. position, '+', 'COUNT', count)
  return rows.err and {} or rows -- no id is greater than the greatest one
end
"""
_NO_GROUP = "return redis.error_reply('NOGROUP no such stream or group')"

# The entries that the group has not read yet, without taking them: a consumer decides what is an
# event before it takes them. KEYS: stream. ARGV: group, count.
PEEK = f"""
{_ENDS}
local position, newest = ends()
if not position then {_NO_GROUP} end
return {{position, newest, behind(position, ARGV[2])}}
"""

# Take the entries that were peeked at for a consumer; the reply has for each the newest sequence
# number that the group had seen before of the same camera and run (-1: unknown). It is false if the
# group has moved since: another consumer was faster. Atomic, so that the number is right whichever
# consumer reads what. What is no event has no origin and changes no number. A gap is also stored
# until a consumer has reported it: the reply may be lost.
# KEYS: stream, seen numbers, their ages, gaps.
# ARGV: group, consumer, position, remember for seconds; then per entry: id, origin, number.
TAKE = f"""
{_ENDS}
local position = ends()
if not position then {_NO_GROUP} end
local count = (#ARGV - 4) / 3
if position ~= ARGV[3] then return false end
local rows = behind(position, count)
if #rows ~= count then return false end
for n, row in ipairs(rows) do
  if row[1] ~= ARGV[2 + 3 * n] then return false end
end
redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', count, 'STREAMS', KEYS[1], '>')
local now = redis.pcall('TIME') -- an ACL may forbid it; then as the server named the newest entry
now = now.err and tonumber(string.match(rows[count][1], '%d+')) / 1000 or tonumber(now[1])
local found = {{}}
for n = 1, count do
  local origin, seq, before = ARGV[3 + 3 * n], tonumber(ARGV[4 + 3 * n]), -1
  if origin ~= '' then
    local seen = redis.call('HGET', KEYS[2], origin)
    if seen then before = tonumber(seen) or -1
    elseif redis.call('HEXISTS', KEYS[2], '{STARTED_MIDWAY}') == 0 then before = 0 end
    if before < 0 or before >= 2 ^ 53 then before = -1 end -- of no event
    if before >= 0 and seq > before + 1 then
      local first = string.format('%s %d', origin, before + 1)
      redis.call('HSET', KEYS[4], first, string.format('%d', seq - 1))
    end
    if seq > before then
      redis.call('HSET', KEYS[2], origin, string.format('%d', seq))
      redis.call('ZADD', KEYS[3], now, origin)
    end
  end
  found[n] = before
end
local forget = now - tonumber(ARGV[4])
for _, origin in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', forget, 'LIMIT', 0, 10)) do
  redis.call('ZREM', KEYS[3], origin)
  redis.call('HDEL', KEYS[2], origin)
end
return found
"""

# Let a group begin again whose position is behind the end of the stream, unless another consumer
# did it. KEYS: stream. ARGV: group, position.
RESTART = f"""
{_ENDS}
local position = ends()
if position ~= ARGV[2] then return 0 end
redis.call('XGROUP', 'SETID', KEYS[1], ARGV[1], '0')
return 1
"""
