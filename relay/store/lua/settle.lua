#!lua flags=allow-oom
-- Writes what attempts came to. Only the newest lease decides; what a stale one saw is kept as evidence, and its
-- "delivered" wins while nobody is sending again.
-- req: {queue, sink, items = {{id, token, outcome, state, reason, delay_ms, consumed, gate_ms, gate_route,
--   keeps_mark}…}, counts = {{field, n}…}};
-- blobs: the attempts, as JSON. Answers {"settled" | "stale" | "gone"…}.
local due, leased, gate = P .. 'due:' .. req.queue, P .. 'leased:' .. req.queue, P .. 'gate:' .. req.queue

-- The story of a delivery: "times|outcome|json" an attempt. What consumed none collapses into a count and the last one.
local function tell(id, outcome, attempt)
  local story = P .. 'a:' .. id
  if outcome == 'throttled' or outcome == 'blocked' then
    local times = string.match(call('LINDEX', story, -1) or '', '^(%d+)|' .. outcome .. '|')
    if times then return call('LSET', story, -1, (times + 1) .. '|' .. outcome .. '|' .. attempt) end
  end
  call('RPUSH', story, '1|' .. outcome .. '|' .. attempt)
end

-- The answer to an earlier settle was lost on its way, and the worker says it again.
local function told_already(id, attempt)
  for _, entry in ipairs(call('LRANGE', P .. 'a:' .. id, 0, -1)) do
    if string.match(entry, '|({.*)$') == attempt then return true end
  end
  return false
end

local function finish(id, event, state, reason)
  call('HSET', P .. 'd:' .. id, 'state', state, 'reason', reason, 'done', now)
  call('HDEL', P .. 'd:' .. id, 'tok', 'send')
  delivery_closed(id, req.sink, event, state)
end

local function apply(item, event)
  local id, state, reason, delay, consumed, keeps_mark = item[1], item[4], item[5], item[6], item[7], item[10]
  local own = P .. 'd:' .. id
  -- A lease that ran out, and nobody has taken it since: it is due.
  if call('ZREM', leased, id) == 0 then call('ZREM', due, id) end
  if consumed then call('HINCRBY', own, 'att', 1) end
  if not keeps_mark then call('HDEL', own, 'send') end
  if state == 'pending' then
    call('HSET', own, 'reason', reason)
    call('HDEL', own, 'tok', 'died')
    call('ZADD', due, now + delay, id)
  elseif state == 'held' then
    call('HSET', own, 'state', state, 'reason', reason)
    call('HDEL', own, 'tok')
    call('ZADD', P .. 'held:' .. req.sink, now, id)
    count('delivery|' .. req.sink .. '|held')
  else
    finish(id, event, state, reason)
  end
end

-- Blocked closes the gate; whatever else comes of the one attempt let through after its time opens it again.
local function move_gate(item)
  local outcome, gate_ms, route = item[3], item[8], item[9]
  if gate_ms > 0 and route ~= '' then
    call('HSET', gate, 'route:' .. route, now + gate_ms)
  elseif gate_ms > 0 then
    if call('HSETNX', gate, 'since', now) == 1 then count('closed|' .. req.sink) end
    call('HSET', gate, 'until', now + gate_ms, 'reason', item[5])
  elseif outcome ~= 'throttled' then
    local till = tonumber(call('HGET', gate, 'until') or math.huge)
    if till <= now then call('HDEL', gate, 'until', 'reason', 'since') end
  end
end

local told = 0
local function settle(item, attempt)
  local id, token, outcome = item[1], item[2], item[3]
  local held_by, state, event = unpack(call('HMGET', P .. 'd:' .. id, 'tok', 'state', 'ev'))
  if not event then return 'gone' end
  local holds = held_by == token and state == 'pending'
  if not holds and told_already(id, attempt) then return 'settled' end
  told = told + 1
  tell(id, outcome, attempt)
  count('attempt|' .. req.sink .. '|' .. outcome)
  if holds then
    apply(item, event)
    move_gate(item)
    return 'settled'
  end
  if outcome == 'delivered' and state == 'pending' and call('ZREM', due, id) == 1 then
    finish(id, event, 'delivered', item[5])
    return 'settled'
  end
  return 'stale'
end

local answers = {}
for i, item in ipairs(req.items) do answers[i] = settle(item, ARGV[i + 1]) end
if told > 0 then
  for _, delta in ipairs(req.counts) do count(delta[1], delta[2]) end
end
rewake(req.queue)
write_counts()
return cmsgpack.pack(answers)
