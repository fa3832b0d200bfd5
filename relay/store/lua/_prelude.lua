-- Shared by every script. KEYS[1] is the prefix of all keys ("{relay}:"), ARGV[1] the request as msgpack, ARGV[2..] the
-- blobs that go with it. The clock is the server's own: workers need not agree on the time.
-- keys.py and fields.py say what every key and field means, wire/ what every row of a request holds.
local P = KEYS[1]
local req = cmsgpack.unpack(ARGV[1])
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local BELL_MS = 5000
local ITEMS_A_WORKER = 50  -- that wait in a queue: about a tenth of a second of work
local SLOT_MS, SLOTS = 300000, 12  -- what came of attempts is counted in slots, for an hour
local FORGET_OUTCOMES_MS = 7 * 86400000  -- after the last attempt

local MOST_COUNTED = 100  -- calls, by then what they counted is added up
local counts = {}
local function count(field, n)
  counts[field] = (counts[field] or 0) + (n or 1)
end

-- Receipts that nothing is open of any more, and those of them with a dead letter: {time, id…}.
local finished, finished_dead = {}, {}

-- Deliveries that became pending, {time of arrival, id…}, and those that are not any more, {id…}; by their sinks.
local began_pending, ended_pending = {}, {}

local function collect(lists, sink, ...)
  local list = lists[sink] or {}
  lists[sink] = list
  for _, value in ipairs({...}) do list[#list + 1] = value end
end

-- Lists a delivery as pending, wherever it waits: in its sink's queue, or in an account's for a look-up.
local function begin_pending(id, sink, accepted_at) collect(began_pending, sink, accepted_at, id) end

local function end_pending(id, sink) collect(ended_pending, sink, id) end

-- What this script has noted for write_collected to write (_facts.lua): nil where it is nothing.
local write_noted

-- Adds what calls have counted to the counters.
local function add_up_counted()
  local sums = {}
  for _, packed in ipairs(call('LRANGE', P .. 'counted', 0, -1)) do
    for field, n in pairs(cmsgpack.unpack(packed)) do sums[field] = (sums[field] or 0) + n end
  end
  call('DEL', P .. 'counted')
  for field, n in pairs(sums) do call('HINCRBY', P .. 'stats', field, n) end
end

-- Writes what was collected, with one command a key. Every script that counts, finishes or notes a fact ends with it. What
-- was counted is added up only after many calls: it is half a dozen counters each time.
local function write_collected()
  if write_noted then write_noted() end
  if next(counts) and call('RPUSH', P .. 'counted', cmsgpack.pack(counts)) >= MOST_COUNTED then add_up_counted() end
  if #finished > 0 then call('ZADD', P .. 'finished', unpack(finished)) end
  if #finished_dead > 0 then call('ZADD', P .. 'finished:dead', unpack(finished_dead)) end
  for sink, list in pairs(began_pending) do call('ZADD', P .. 'pending:' .. sink, unpack(list)) end
  for sink, list in pairs(ended_pending) do call('ZREM', P .. 'pending:' .. sink, unpack(list)) end
end

-- Tells the index of the newest receipts that one has other events or deliveries than when it was routed.
local function note_rerouted(receipt) call('RPUSH', P .. 'rerouted', receipt) end

-- Writes that there is work in a queue at `at`, unless it is to be looked at before. Returns whether it was not.
local function wake(queue, at)
  return call('ZADD', P .. 'wake', 'LT', 'CH', at, queue) == 1
end

-- Sets the bell of a queue. Returns whether it was not set: then the caller publishes it.
local function set_bell(queue, ms)
  return call('SET', P .. 'bell:' .. queue, '1', 'NX', 'PX', ms or BELL_MS) and true or false
end

-- The workers that listen now, in the order in which they are woken. That is always the same: so a few hooks keep one of
-- them at work, and the others go to sleep.
local function listeners()
  local names = call('ZRANGEBYSCORE', P .. 'listeners', now, '+inf')
  table.sort(names)
  return names
end

-- Sends a wake-up to a worker. Returns whether a connection of its took it; a user of the store who may not publish
-- reaches nobody. Nothing of it is written to the file, so it waits for no disk.
local function send_wake_up(worker, queue)
  local taken = redis.pcall('SPUBLISH', P .. 'wake:' .. worker, queue)
  return type(taken) == 'number' and taken > 0
end

-- Wakes the n-th of the listeners, those left out that have no connection. Returns whether there is one.
local function wake_listener(names, n, queue)
  while names[n] do
    if send_wake_up(names[n], queue) then return true end
    table.remove(names, n)
  end
  return false
end

-- How many workers a queue needs in which so many items wait.
local function workers_for(waiting) return 1 + math.floor(waiting / ITEMS_A_WORKER) end

-- Calls workers to a queue in which `added` items became due: one to a queue that had none, more as they grow in number.
-- Those that listen are woken; where more are needed than listen, a bell is for one that sleeps, and no worker clears that
-- of a second one: it is rung every five seconds at most. `handed`: how many a worker has that wait for it, too. Returns
-- whether to publish a bell.
local function call_workers(queue, added, handed)
  local first = wake(queue, now)
  local waiting = handed + (first and added or call('ZCARD', P .. 'due:' .. queue))
  local called = first and 0 or workers_for(waiting - added)
  local needed = workers_for(waiting)
  if needed <= called then return false end
  local names = listeners()
  for n = called + 1, needed do
    if not wake_listener(names, n, queue) then
      return n == #names + 1 and set_bell(n == 1 and queue or queue .. ':more')
    end
  end
  return false
end

local function first_score(key)
  local first = call('ZRANGE', key, 0, 0, 'WITHSCORES')
  return first[2] and tonumber(first[2])
end

-- Returns how many leases of a queue count against its concurrency: what is claimed ahead of a slot does not. Where they
-- are `few` or less, it may be among them: it makes no difference.
local function count_started(queue, few)
  local leased = P .. 'leased:' .. queue
  local n = call('ZCARD', leased)
  return (n == 0 or n <= few) and n or n - call('ZINTERCARD', 2, P .. 'ahead:' .. queue, leased)
end

-- Queues whose gates this script opened: what waits there for later may be due because of that.
local opened = {}

-- Writes when a queue is next worth a look: at its first due item (not before `not_before`), or when a lease runs out.
-- `first_due`, `first_leased`: the scores of those, where they are known; infinite where there is none.
-- Returns that time, or nil where the queue is empty.
local function update_wake(queue, not_before, first_due, first_leased)
  local due = first_due or first_score(P .. 'due:' .. queue) or math.huge
  local leased = first_leased or first_score(P .. 'leased:' .. queue) or math.huge
  local at = math.min(due < math.huge and math.max(due, not_before or 0) or math.huge, leased)
  at = (due < math.huge or leased < math.huge) and at or nil
  if at and opened[queue] then at = math.min(at, now) end
  if at then call('ZADD', P .. 'wake', at, queue) else call('ZREM', P .. 'wake', queue) end
  return at
end

-- Does the same, and wakes a listener where a queue that had nothing due has now.
local function update_wake_and_call(queue)
  local before = tonumber(call('ZSCORE', P .. 'wake', queue) or math.huge)
  local at = update_wake(queue)
  if at and at <= now and before > now then wake_listener(listeners(), 1, queue) end
end

-- Removes the counts of all but the newest slots.
local function remove_old_slots(record, slot, newest)
  for _, field in ipairs(call('HKEYS', record)) do
    local of = tonumber(string.match(field, ':(%d+)$'))
    if of and of <= slot - newest then call('HDEL', record, field) end
  end
end

-- Counts attempts that succeeded and that failed, of a sink or of an account's look-ups; and since when and how often in
-- a row they have failed.
local function count_outcomes(name, good, failed)
  if good + failed == 0 then return end
  local record, slot = P .. 'outcomes:' .. name, math.floor(now / SLOT_MS)
  local new_slot = good > 0 and call('HINCRBY', record, 'good:' .. slot, good) == good
  new_slot = failed > 0 and call('HINCRBY', record, 'failed:' .. slot, failed) == failed or new_slot
  if new_slot then
    remove_old_slots(record, slot, SLOTS)
    call('PEXPIRE', record, FORGET_OUTCOMES_MS)
  end
  if good > 0 then
    call('HDEL', record, 'since', 'row')
  else
    call('HSETNX', record, 'since', now)
    call('HINCRBY', record, 'row', failed)
  end
end

local function receipt_of(event) return string.match(event, '^[^.]*') end

-- Whether receipts in a state are listed by it: there are few, and people look for them.
local function is_listed_by_state(state) return state == 'malformed' or state == 'quarantined' end

-- Lists a receipt for retention, which removes it later where it has a dead letter.
local function finish_receipt(receipt)
  local list = call('HEXISTS', P .. 'r:' .. receipt, 'dead') == 1 and finished_dead or finished
  list[#list + 1] = now
  list[#list + 1] = receipt
end

-- Counts one less of what is open of a receipt: its routing, and each of its deliveries.
local function decrement_open(receipt)
  if call('HINCRBY', P .. 'r:' .. receipt, 'open', -1) <= 0 then finish_receipt(receipt) end
end

-- What is held or dead is listed by its cause, too, so that all of one cause can be looked at and decided at once.
local causing = {MOST = 200, CHARACTERS = 200}  -- causes of a sink: what comes after them is of one; each at most so long

-- The cause that a reason names: without the numbers that differ from delivery to delivery. A status has three digits.
local function cause_of(state, reason)
  local uuid = '%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x+'
  local text = string.gsub(string.gsub(reason, uuid, '#'), '%d+', function(digits) return #digits ~= 3 and '#' or nil end)
  text = string.sub(text, 1, causing.CHARACTERS)
  return string.sub(redis.sha1hex(state .. '|' .. text), 1, 10), state .. '|' .. text
end

local function list_failed(id, sink, state, reason, at)
  local cause, text = cause_of(state, reason or '')
  local causes = P .. 'causes:' .. sink
  if call('HSETNX', causes, cause, text) == 1 and call('HLEN', causes) > causing.MOST + 1 then
    call('HDEL', causes, cause)
    cause = 'others'
    call('HSETNX', causes, cause, state .. '|other causes')
  end
  call('ZADD', P .. 'failed:' .. sink .. ':' .. cause, at or now, id)
  call('HSET', P .. 'd:' .. id, 'cause', cause)
end

-- Takes it off the list of its cause. Returns since when it was on it.
local function leave_failed(id, sink)
  local cause = call('HGET', P .. 'd:' .. id, 'cause')
  if not cause then return nil end
  local failed = P .. 'failed:' .. sink .. ':' .. cause
  local at = call('ZSCORE', failed, id)
  call('ZREM', failed, id)
  if call('EXISTS', failed) == 0 then call('HDEL', P .. 'causes:' .. sink, cause) end
  call('HDEL', P .. 'd:' .. id, 'cause')
  return at and tonumber(at)
end
