-- Writes what attempts came to. Only the newest lease decides; what a stale one saw is kept as evidence, and its
-- "delivered" wins while nobody is sending again.
-- came: {queue, sink, items = {{id, token, outcome, state, reason, delay_ms, consumed, gate_ms, gate_route,
--   keeps_mark}…}, counts = {{field, n}…}}; blobs: the attempts, as JSON.

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

-- What holds the lease writes the delivery's state in one go. Its token goes with it: a repeated settle finds it gone.
local function apply(sink, item, known)
  local id, state, reason, consumed, keeps_mark = item[1], item[4], item[5], item[7], item[10]
  local own, event, attempts, sending = P .. 'd:' .. id, known[3], known[4], known[5]
  local fields = {'state', state, 'reason', reason, 'att', attempts + (consumed and 1 or 0), 'tok', ''}
  if state == 'pending' then
    fields[9], fields[10] = 'died', 0
  elseif state ~= 'held' then
    fields[9], fields[10] = 'done', now
  end
  call('HSET', own, unpack(fields))
  if sending and not keeps_mark then call('HDEL', own, 'send') end
  if state == 'held' then
    call('ZADD', P .. 'held:' .. sink, now, id)
    count('delivery|' .. sink .. '|held')
  elseif state ~= 'pending' then
    delivery_closed(id, sink, event, state)
  end
end

-- A late "delivered" about a delivery that is due again: it wins.
local function end_late(sink, item, event)
  call('HSET', P .. 'd:' .. item[1], 'state', 'delivered', 'reason', item[5], 'done', now, 'tok', '')
  call('HDEL', P .. 'd:' .. item[1], 'send')
  delivery_closed(item[1], sink, event, 'delivered')
end

-- Blocked closes the gate; whatever else comes of the one attempt let through after its time opens it again.
-- Returns until when the gate is closed now.
local function move_gate(gate, sink, item, till)
  local outcome, gate_ms, route = item[3], item[8], item[9]
  if gate_ms > 0 and route ~= '' then
    call('HSET', gate, 'route:' .. route, now + gate_ms)
  elseif gate_ms > 0 then
    if call('HSETNX', gate, 'since', now) == 1 then count('closed|' .. sink) end
    call('HSET', gate, 'until', now + gate_ms, 'reason', item[5])
    return now + gate_ms
  elseif outcome ~= 'throttled' and till <= now then
    call('HDEL', gate, 'until', 'reason', 'since')
    return math.huge
  end
  return till
end

-- Returns "settled" | "stale" | "gone" for each item. `first` is the place of the first attempt among the arguments.
local function settle(came, first)
  local due, leased, gate = P .. 'due:' .. came.queue, P .. 'leased:' .. came.queue, P .. 'gate:' .. came.queue
  local till = tonumber(call('HGET', gate, 'until') or math.huge)
  local released, waits, told = {}, {}, false  -- waits: what is due again -> when

  local function settle_one(item, attempt)
    local id, token, outcome, state = item[1], item[2], item[3], item[4]
    local known = call('HMGET', P .. 'd:' .. id, 'tok', 'state', 'ev', 'att', 'send')
    if not known[3] then return 'gone' end
    local pending = known[2] == 'pending'
    local holds = pending and known[1] == token
    if not holds and told_already(id, attempt) then return 'settled' end
    told = true
    tell(id, outcome, attempt)
    count('attempt|' .. came.sink .. '|' .. outcome)
    if holds then
      apply(came.sink, item, known)
      till = move_gate(gate, came.sink, item, till)
      released[#released + 1] = id
      if state == 'pending' then waits[id] = now + item[6] end
      return 'settled'
    end
    if outcome == 'delivered' and pending and (waits[id] or call('ZREM', due, id) == 1) then
      waits[id] = nil
      end_late(came.sink, item, known[3])
      return 'settled'
    end
    return 'stale'
  end

  local answers = {}
  for i, item in ipairs(came.items) do answers[i] = settle_one(item, ARGV[first + i - 1]) end
  if #released > 0 and call('ZREM', leased, unpack(released)) < #released then
    call('ZREM', due, unpack(released))  -- of some the lease ran out, and nobody has taken them since: they are due
  end
  local again = {}
  for id, at in pairs(waits) do
    again[#again + 1] = at
    again[#again + 1] = id
  end
  if #again > 0 then call('ZADD', due, unpack(again)) end
  if told then
    for _, delta in ipairs(came.counts) do count(delta[1], delta[2]) end
  end
  return answers
end
