#!lua flags=allow-oom
-- Writes that the part of a bulk action in another shard has a row there. req: {id, shard}.
local record = P .. 'action:' .. req.id
if call('EXISTS', record) == 1 then call('HSET', record, 'begun:' .. req.shard, 1) end
return cmsgpack.pack(true)
