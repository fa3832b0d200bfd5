#!lua flags=allow-oom
-- Keeps in a further shard a copy of the list of shards, unless it has one as new. req: {epoch, list}.
-- Answers whether it was written.
local copy = P .. 'shards_copy'
local before = string.match(call('GET', copy) or '', '^%d+')
if before and tonumber(before) >= req.epoch then return cmsgpack.pack(false) end
call('SET', copy, req.epoch .. '|' .. req.list)
return cmsgpack.pack(true)
