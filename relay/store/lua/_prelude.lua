-- Shared by every script. KEYS[1] is the prefix of all keys ("{relay}:"), ARGV[1] the request as msgpack,
-- ARGV[2..] the blobs it speaks of. The clock is the server's own: workers need not agree on the time.
local P = KEYS[1]
local req = cmsgpack.unpack(ARGV[1])
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local BELL_MS = 5000

local counts = {}
local function count(field, n)
  counts[field] = (counts[field] or 0) + (n or 1)
end

-- Receipts of which nothing is open any more, and those of them with something dead in them: {score, id…}.
local finished, finished_dead = {}, {}

-- Writes what was collected for one command each. Every script that counts or closes ends with it.
local function write_collected()
  for field, n in pairs(counts) do call('HINCRBY', P .. 'stats', field, n) end
  if #finished > 0 then call('ZADD', P .. 'finished', unpack(finished)) end
  if #finished_dead > 0 then call('ZADD', P .. 'finished:dead', unpack(finished_dead)) end
end

-- Says that there is work in a queue at `at`. Returns whether that is news: of a queue that had work already somebody was
-- told, or a ticker will tell.
local function wake(queue, at)
  return call('ZADD', P .. 'wake', 'LT', 'CH', at, queue) == 1
end

-- Sets the bell of a queue. Returns whether it was silent: whoever set it publishes it.
local function ring(queue)
  return call('SET', P .. 'bell:' .. queue, '1', 'NX', 'PX', BELL_MS) and true or false
end

local function first_score(key)
  local first = call('ZRANGE', key, 0, 0, 'WITHSCORES')
  return first[2] and tonumber(first[2])
end

-- Writes when the queue is next worth a look: its first due item (not before `not_before`), or a lease that runs out.
local function rewake(queue, not_before)
  local due, leased = first_score(P .. 'due:' .. queue), first_score(P .. 'leased:' .. queue)
  local at = due and math.max(due, not_before or 0)
  if leased and (not at or leased < at) then at = leased end
  if at then call('ZADD', P .. 'wake', at, queue) else call('ZREM', P .. 'wake', queue) end
  return at
end

local function receipt_of(event) return string.match(event, '^[^.]*') end

-- Whatever of a receipt is unfinished counts as open: its routing, and each delivery. With the last of it closed,
-- retention may remove the receipt, later where something in it is dead.
local function finish_receipt(receipt)
  local list = call('HEXISTS', P .. 'r:' .. receipt, 'dead') == 1 and finished_dead or finished
  list[#list + 1] = now
  list[#list + 1] = receipt
end

local function close_one_of(receipt)
  if call('HINCRBY', P .. 'r:' .. receipt, 'open', -1) <= 0 then finish_receipt(receipt) end
end

-- Counts a delivery that ended, and lists it where it is dead.
local function note_end(id, sink, receipt, state)
  count('delivery|' .. sink .. '|' .. state)
  if state ~= 'dead' then return end
  call('ZADD', P .. 'dead:' .. sink, now, id)
  call('HINCRBY', P .. 'r:' .. receipt, 'dead', 1)
end

local function delivery_closed(id, sink, event, state)
  local receipt = receipt_of(event)
  note_end(id, sink, receipt, state)
  close_one_of(receipt)
end

-- The queue of a subscription. While it is disabled nothing leaves it, and nobody looks at it.
local function close_subscriber(id, reason)
  call('HSET', P .. 'gate:sink:sub-' .. id, 'paused', 1, 'reason', reason)
end

local function open_subscriber(id)
  call('DEL', P .. 'failures:' .. id)
  call('HDEL', P .. 'gate:sink:sub-' .. id, 'paused', 'reason')
  rewake('sink:sub-' .. id)
end

-- How many grants a sliding log still has, up to `wanted`, and else when it has the next. The log holds the times of the
-- last `count` grants; more of them where the count was lowered since, and the oldest of those count no longer.
local function free_of(limit, wanted)
  local log = P .. 'grants:' .. limit[1]
  local length = call('LLEN', log)
  local surplus = math.max(length - limit[2], 0)
  local free = limit[2] - length + surplus
  if free >= wanted then return free end
  for _, at in ipairs(call('LRANGE', log, surplus, surplus + wanted - free - 1)) do
    if tonumber(at) > now - limit[3] then return free, tonumber(at) + limit[3] end
    free = free + 1
  end
  return free
end

local function grant(limit, n)
  local log = P .. 'grants:' .. limit[1]
  local times = {}
  for i = 1, n do times[i] = now end
  if call('RPUSH', log, unpack(times)) > limit[2] then call('LTRIM', log, -limit[2], -1) end
  call('PEXPIRE', log, limit[3])
end
