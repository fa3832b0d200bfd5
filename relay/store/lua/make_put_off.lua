#!lua flags=allow-oom
-- Makes deliveries that were put off because their sink had as many as it may, as far as it has room now.
-- req: {sink, config, items = {routing.PutOffRow…}}; blobs: contents, numbered in the rows.
-- Answers the queues that have work now. No bell: the caller begins with these at once.
for _, item in ipairs(req.items) do
  local member, delivery = unpack(item)
  if has_room(req.sink) and call('ZSCORE', P .. 'put_off:' .. req.sink, member) then
    make_put_off(member, delivery, req.config)
  end
end
local with_work = write_queues()
write_collected()
return cmsgpack.pack(with_work)
