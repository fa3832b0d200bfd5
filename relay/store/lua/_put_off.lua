-- Makes a delivery that was put off: `member` is how its sink's set calls it. Returns whether it was made: with its hook it
-- may be gone, and another event may have used its `once` key.
local function make_put_off(member, delivery, config)
  local id, event_id, sink, _, once = unpack(delivery)
  local receipt, exists = receipt_of(event_id), call('EXISTS', P .. 'd:' .. id) == 1
  local record = P .. 'r:' .. receipt
  local source, accepted_at, trace = unpack(call('HMGET', record, 'src', 'at', 'trace'))
  call('ZREM', P .. 'put_off:' .. sink, member)
  if not source then return false end
  call('HDEL', record, 'p:' .. id)
  if once then exists = once_exists(id, event_id) end
  local is_open = not exists and create({id = receipt, config = config, trace = trace}, source, accepted_at, delivery)
  if not is_open then decrement_open(receipt) end
  if not exists then note_rerouted(receipt) end
  return not exists
end
