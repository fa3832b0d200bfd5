#!lua flags=allow-oom
-- Makes deliveries that were put off because their sink had as many as it may, as far as it has room now.
-- req: {sink, config, items = {wire.PutOffRow…}}; blobs: contents, numbered in the rows.
-- Answers the queues that have work now. No bell: the caller begins with these at once.
local waiting = P .. 'put_off:' .. req.sink

local function make(member, delivery)
  local id, event_id, _, _, once = unpack(delivery)
  local receipt = receipt_of(event_id)
  local record, exists = P .. 'r:' .. receipt, call('EXISTS', P .. 'd:' .. id) == 1
  local source, accepted_at = unpack(call('HMGET', record, 'src', 'at'))
  call('ZREM', waiting, member)
  if not source then return end
  call('HDEL', record, 'p:' .. id)
  if once then exists = once_exists(id, event_id) end
  local is_open = not exists and create({id = receipt, config = req.config}, source, accepted_at, delivery)
  if not is_open then decrement_open(receipt) end
end

for _, item in ipairs(req.items) do
  local member, delivery = unpack(item)
  if has_room(req.sink) and call('ZSCORE', waiting, member) then make(member, delivery) end
end
local with_work = write_queues()
write_collected()
return cmsgpack.pack(with_work)
