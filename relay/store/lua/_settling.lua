-- Writes what attempts came to. Only the newest lease decides; the outcome of a stale one is kept in the story. A
-- "delivered" of it counts all the same, at the latest when the newer lease ends; and what is held because its worker
-- seemed to have died while it was sending is decided by that very attempt, when it is heard of after all.
-- Places in a settling.SettlementRow.
local ID, TOKEN, OUTCOME, STATE, REASON = 1, 2, 3, 4, 5
local DELAY_MS, CONSUMED, GATE_MS, GATE_ROUTE, GATE_SURE, KEEPS_MARK, COUNTED, ASKED_MS = 6, 7, 8, 9, 10, 11, 12, 13
-- Outcomes that count as failures. What was only to come later, or had nobody to go to, says nothing about a sink.
local FAILED = {retry = true, unknown = true, rejected = true, blocked = true}
local DOWN = {retry = true, unknown = true, blocked = true}  -- outcomes after which one waits for nothing but its sink

-- Appends an attempt to a story: "times|outcome|json". Those in a row that cost no attempt become one entry, the last.
local function append_attempt(id, outcome, consumed, attempt)
  local story = P .. 'a:' .. id
  if not consumed then
    local last = call('LINDEX', story, -1) or ''
    local times = string.match(last, '^(%d+)|' .. outcome .. '|')
    if times and not string.find(last, '"number":0[,}]') then  -- which a person did
      return call('LSET', story, -1, (times + 1) .. '|' .. outcome .. '|' .. attempt)
    end
  end
  call('RPUSH', story, '1|' .. outcome .. '|' .. attempt)
end

-- Whether an attempt is in the story already: the answer to an earlier settle was lost, and the worker repeats it.
local function in_story(id, attempt)
  for _, entry in ipairs(call('LRANGE', P .. 'a:' .. id, 0, -1)) do
    if string.match(entry, '|({.*)$') == attempt then return true end
  end
  return false
end

-- Writes the state of a delivery whose lease is held, and returns it. Its token is removed too: a repeated settle finds
-- it gone. `told`: an earlier attempt has delivered it. One that a person asked to cancel meanwhile is not tried again.
local function write_state(sink, item, event, attempts, marked, told, cancel, was_down, keyed)
  local id, state, reason = item[ID], item[STATE], item[REASON]
  local record = P .. 'd:' .. id
  if told then
    state, reason = 'delivered', item[OUTCOME] == 'delivered' and reason or told
  elseif cancel and state == 'pending' then
    state, reason = 'cancelled', cancel .. '; the attempt that was out: ' .. reason
  end
  local fields = {'state', state, 'reason', reason, 'att', attempts + (item[CONSUMED] and 1 or 0), 'tok', ''}
  if state == 'pending' then
    fields[9], fields[10], fields[11], fields[12] = 'died', 0, 'alone', 0
  elseif state ~= 'held' then
    fields[9], fields[10] = 'done', now
  end
  call('HSET', record, unpack(fields))
  -- It waits only because the sink failed: when that works again it is due at once, or when they asked for it.
  if state == 'pending' and DOWN[item[OUTCOME]] then
    call('HSET', record, 'down', now + item[ASKED_MS])
  elseif was_down then
    call('HDEL', record, 'down')
  end
  if told or (marked and not item[KEEPS_MARK]) then call('HDEL', record, 'send', 'mark', 'told') end
  if state == 'held' then
    end_pending(id, sink)
    if keyed then leave_line(id, sink, event, keyed) end
    call('ZADD', P .. 'held:' .. sink, now, id)
    list_failed(id, sink, 'held', reason)
    count('delivery|' .. sink .. '|held')
  elseif state ~= 'pending' then
    end_delivery(id, sink, event, state, keyed)
  end
  return state
end

-- Takes back what is held, so that its attempt decides.
local function take_back_held(id, sink)
  leave_held(id, sink)
  call('HSET', P .. 'd:' .. id, 'state', 'pending')
  begin_pending(id, sink, call('HGET', P .. 'd:' .. id, 'acc'))
end

-- Lets an attempt that was not stale open or close the gates that it is about. `id`: under which they know it as their
-- trial. `route`: that of its delivery, where any gate is closed.
local function update_gates(gate, item, id, route)
  local outcome, gate_ms, gate_route = item[OUTCOME], item[GATE_MS], item[GATE_ROUTE]
  if route then
    if gate_ms == 0 or gate_route ~= '' then end_trial(gate, '', id, outcome, item[REASON], item[ASKED_MS]) end
    if gate_ms == 0 or gate_route ~= route then end_trial(gate, route, id, outcome, item[REASON]) end
  end
  if gate_ms > 0 then close_gate(gate, gate_route, id, gate_ms, item[REASON], item[GATE_SURE]) end
end

-- Does so for a delivery of this shard, which remembers that it was blocked. Of a sink whose home is another shard that
-- was asked before (_granted.lua): what is to be remembered is in the request.
local function note_gates(gate, item)
  local id = item[ID]
  local mark = gate.is_copy and gate.blocked[id] or nil
  if not gate.is_copy then
    update_gates(gate, item, id, next(gate.fields) and call('HGET', P .. 'd:' .. id, 'route'))
    mark = item[GATE_MS] > 0 and blocked_mark(gate.queue, item[GATE_ROUTE])
  end
  if mark then call('HSETNX', P .. 'd:' .. id, 'blk', mark) end
end

-- Counts against the concurrency what was claimed ahead and has begun since: it takes over the slot of one that is settled
-- in the same call, or is settled itself.
local function count_begun(request)
  local begun = {}
  for _, lease in ipairs(request.begun) do
    local id, token = unpack(lease)
    if call('HGET', P .. 'd:' .. id, 'tok') == token then begun[#begun + 1] = id end
  end
  if #begun > 0 then call('ZREM', P .. 'ahead:' .. request.queue, unpack(begun)) end
end

-- Writes the items of a settling.SettleRequest, whose attempts are the arguments from `first`. `gate`: where it is not this
-- shard's own.
-- Returns "settled" | "stale" | "gone" for each, and "packed" where nothing was written: it must be unpacked first; then the
-- gate of the queue as it is now.
local function settle(request, first, gate)
  local queue, sink = request.queue, request.sink
  local due, leased = P .. 'due:' .. queue, P .. 'leased:' .. queue
  gate = gate or read_gate(queue)
  count_begun(request)
  gate.breaker = type(request.breaker) == 'table' and request.breaker  -- else cmsgpack's nil
  local released, due_again, any_new = {}, {}, false  -- due_again: id -> when
  local good, failed = 0, 0
  local well, unwell, last = 0, 0, nil  -- last: the item that failed last

  local is_followed = {}
  for _, id in ipairs(request.followed) do is_followed[id] = true end

  -- Tells that one was delivered, where some route follows its route.
  local function note_delivered(id, state_now)
    if state_now == 'delivered' and is_followed[id] then note_delivery_fact('delivered', id) end
  end

  -- Takes one with a key out at once: what follows of the same call may be another of its key. Where its lease ran out it
  -- is due again, or waits for another that took the turn.
  local function leave_queue(id, ordered)
    if call('ZREM', leased, id) == 0 and call('ZREM', due, id) == 0 then call('ZREM', ordered, id) end
  end

  local function settle_one(item, attempt)
    local id, outcome = item[ID], item[OUTCOME]
    local record = P .. 'd:' .. id
    local fields = call('HMGET', record, 'tok', 'state', 'ev', 'att', 'send', 'mark', 'told', 'cancel', 'down', 'sink', 'q',
      'keyed')
    local token, state, event, attempts, marked, marked_by, told, cancel, was_down, own_sink, waits_in, keyed =
      unpack(fields)
    if not event then return is_packed(id) and 'packed' or 'gone' end
    -- It may have been moved since, or wait for a look-up again; and of a look-up the request names the account.
    local ordered = P .. 'ordered:' .. own_sink
    waits_in = waits_in or 'sink:' .. own_sink
    local pending = state == 'pending'
    local holds_lease = pending and token == item[TOKEN]
    if not holds_lease and in_story(id, attempt) then return 'settled' end
    any_new = true
    append_attempt(id, outcome, item[CONSUMED], attempt)
    count('attempt|' .. sink .. '|' .. outcome)
    if outcome == 'delivered' then good = good + 1 elseif FAILED[outcome] or request.in_vain then failed = failed + 1 end
    if item[COUNTED] and WELL[outcome] then well = well + 1 end
    if item[COUNTED] and UNWELL[outcome] then unwell, last = unwell + 1, item end
    if holds_lease then
      if keyed then leave_queue(id, ordered) else released[#released + 1] = id end
      local state_now = write_state(own_sink, item, event, attempts, marked, told, cancel, was_down, keyed)
      if state_now == 'held' then note_delivery_fact('delivery_held', id) end
      note_delivered(id, state_now)
      note_gates(gate, item)
      local at = now + item[DELAY_MS]
      if state_now ~= 'pending' then return 'settled' end
      if not keyed then
        due_again[id] = at
      elseif take_turn(id, own_sink, event, keyed, at) then
        call('ZADD', due, at, id)
      end
      return 'settled'
    end
    if outcome == 'delivered' and state ~= 'delivered' then
      if pending and not due_again[id] and call('ZREM', P .. 'due:' .. waits_in, id) == 0
        and not (keyed and call('ZREM', ordered, id) == 1) then
        call('HSET', record, 'told', item[REASON])
        return 'stale'
      end
      due_again[id] = nil
      write_delivered(id, own_sink, event, state, item[REASON], keyed)
      note_delivered(id, 'delivered')
      return 'settled'
    end
    if state == 'held' and marked_by == item[TOKEN] then
      take_back_held(id, own_sink)
      local state_now = write_state(own_sink, item, event, attempts, marked, nil, cancel, was_down, keyed)
      note_delivered(id, state_now)
      local at = now + item[DELAY_MS]
      if state_now == 'pending' and take_turn(id, own_sink, event, keyed, at) then
        call('ZADD', P .. 'due:' .. waits_in, at, id)
        wake(waits_in, at)
      end
      return 'settled'
    end
    return 'stale'
  end

  local answers = {}
  for i, item in ipairs(request.items) do answers[i] = settle_one(item, ARGV[first + i - 1]) end
  if #released > 0 and call('ZREM', leased, unpack(released)) < #released then
    call('ZREM', due, unpack(released))  -- the lease of some ran out, and nobody has taken them since: they are due
  end
  count_outcomes(sink, good, failed)
  -- One at least is due when the gate lets a trial through.
  local tripped = watch(gate, well, unwell, last and last[REASON], last and last[ASKED_MS])
  if tripped and due_again[last[ID]] then
    due_again[last[ID]] = now + last[ASKED_MS]
  elseif tripped then
    call('ZADD', due, 'XX', now + last[ASKED_MS], last[ID])
  end
  local again = {}
  for id, at in pairs(due_again) do
    again[#again + 1] = at
    again[#again + 1] = id
  end
  if #again > 0 then call('ZADD', due, unpack(again)) end
  if any_new then
    for field, n in pairs(request.counts) do count(field, n) end
  end
  return answers, gate
end
