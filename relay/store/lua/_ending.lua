-- How deliveries end, and what is taken back of that.

-- Counts a delivery that ended, and lists it where it is dead, for a reason.
local function count_ended(id, sink, receipt, state, reason)
  count('delivery|' .. sink .. '|' .. state)
  if state ~= 'dead' then return end
  call('ZADD', P .. 'dead:' .. sink, now, id)
  list_failed(id, sink, state, reason)
  note_delivery_fact('delivery_dead', id)
  call('HINCRBY', P .. 'r:' .. receipt, 'dead', 1)
end

-- Takes a delivery that has ended out of the sets of its keys: _keyed.lua, which every script has that ends deliveries.
local leave_keys

-- Ends a delivery whose own fields are written already; `keyed` is one of these.
local function end_delivery(id, sink, event, state, keyed)
  local receipt = receipt_of(event)
  end_pending(id, sink)
  if keyed then leave_keys(id, sink, event, keyed, state) end
  count_ended(id, sink, receipt, state, state == 'dead' and call('HGET', P .. 'd:' .. id, 'reason'))
  decrement_open(receipt)
end

-- Ends a delivery that a person asked to cancel while it was in flight.
local function cancel_in_flight(id, sink, event, reason, keyed)
  call('HSET', P .. 'd:' .. id, 'state', 'cancelled', 'reason', reason, 'done', now, 'tok', '')
  end_delivery(id, sink, event, 'cancelled', keyed)
end

-- Takes a dead letter off the list of dead ones. Its receipt is kept longer only while it has others.
local function leave_dead(id, sink, receipt)
  call('ZREM', P .. 'dead:' .. sink, id)
  leave_failed(id, sink)
  if call('HINCRBY', P .. 'r:' .. receipt, 'dead', -1) > 0 then return end
  call('HDEL', P .. 'r:' .. receipt, 'dead')
  if call('ZREM', P .. 'finished:dead', receipt) == 1 then finish_receipt(receipt) end
end

local function leave_held(id, sink)
  call('ZREM', P .. 'held:' .. sink, id)
  leave_failed(id, sink)
end

-- Writes that a delivery was delivered after all, whatever was decided about it since. It is in no queue any more.
local function write_delivered(id, sink, event, state, reason, keyed)
  local record = P .. 'd:' .. id
  call('HSET', record, 'state', 'delivered', 'reason', reason, 'done', now, 'tok', '')
  call('HDEL', record, 'send', 'mark', 'told')
  if state == 'held' then leave_held(id, sink) end
  if state == 'pending' or state == 'held' then
    end_delivery(id, sink, event, 'delivered', keyed)
  else
    if state == 'dead' then leave_dead(id, sink, receipt_of(event)) end
    count('delivery|' .. sink .. '|delivered')
  end
end
