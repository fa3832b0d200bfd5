#!lua flags=allow-oom
-- Cancels a delivery that is put off: it is made as a cancelled one, so that its story says who did it, and why.
-- req: {id, sink, by, why, item = wire.PutOffRow}; blob: its content, none. Answers whether it was put off still.
local item = req.item
local member, delivery = unpack(item)
if not call('ZSCORE', P .. 'put_off:' .. req.sink, member) then return cmsgpack.pack(false) end
local made = make_put_off(member, delivery, '')
write_queues()
if made then call('HSET', P .. 'd:' .. req.id, 'reason', describe_act('cancelled while it was put off')) end
write_audit('cancel', 'delivery ' .. req.id, 'put off')
write_collected()
return cmsgpack.pack(true)
