#!lua flags=allow-oom
-- Cancels a delivery that is put off: it is made as a cancelled one, so that its story says who did it, and why.
-- req: {id, sink, item = routing.PutOffRow}, and by whom, as `act_on_delivery` takes it; blob: its content, none. Answers
-- 'done', or why it was not done: 'gone' where it is not put off any more.
local item = req.item
local member, delivery = unpack(item)
local obstacle = action_obstacle(req.id)
if obstacle then return cmsgpack.pack(obstacle) end
if not call('ZSCORE', P .. 'put_off:' .. req.sink, member) then return cmsgpack.pack('gone') end
local made = make_put_off(member, delivery, '')
write_queues()
if made then call('HSET', P .. 'd:' .. req.id, 'reason', describe_act('cancelled while it was put off')) end
note_item(req.id, req.noted)
write_audit('cancel', 'delivery ' .. req.id, 'put-off')
write_collected()
return cmsgpack.pack('done')
