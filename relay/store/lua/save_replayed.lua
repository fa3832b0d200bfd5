#!lua flags=allow-oom
-- Writes what a receipt that was routed before comes to by today's configuration, or a part of that: what is there
-- already stays as it is. req: {by, why, receipt = routing.RoutedRow}, of a bulk action also {action}; blobs: contents.
-- Answers acts.ReplayAnswer.
local receipt = req.receipt
local record = P .. 'r:' .. receipt.id
local names = receipt_field_names(receipt)
local values = call('HMGET', record, unpack(names))
local _, source, accepted_at, open = unpack(values)
local before = call('HGET', record, 'state')

-- acts.ReplayAnswer
local function replay_answer(code, made) return cmsgpack.pack({code, made}) end

local function leave_state()
  if is_listed_by_state(before) then call('ZREM', P .. 'receipts:' .. before, receipt.id) end
  if before == 'quarantined' and call('HINCRBY', record, 'dead', -1) <= 0 then call('HDEL', record, 'dead') end
  call('HDEL', record, 'remarks', 'died', 'alone')
end

if action_obstacle('') == 'stopped' then return replay_answer('stopped', 0) end
if not before then return replay_answer(has_receipt(receipt.id) and 'packed' or 'gone', 0) end
local owned = call('GET', P .. 'owned')
if owned and source ~= '_relay' and not string.find(owned, '\n' .. source .. '\n', 1, true) then
  return replay_answer('moved', 0)
end
if before == 'accepted' then return replay_answer('waits', 0) end
local receipt_fields, opened, made = save_part(receipt, names, values)
if receipt.last then
  leave_state()
  list_by_state(receipt, source, accepted_at)
  note_rerouted(receipt.id)
  write_audit('replay', 'receipt ' .. receipt.id, before)
end
call('HSET', record, 'open', open + opened, unpack(receipt_fields))
call('ZREM', P .. 'finished', receipt.id)
call('ZREM', P .. 'finished:dead', receipt.id)
if open + opened <= 0 then finish_receipt(receipt.id) end
write_queues()
write_collected()
for _, id in ipairs(made) do note_item(id, 'new') end
return replay_answer('done', #made)
