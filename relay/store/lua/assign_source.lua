#!lua flags=allow-oom
-- Writes in the first shard whose a source is, where nobody has changed that meanwhile. req: {source, before, shard,
-- moving}: what was read ('' where nothing was), its shard, and the one to which it is on its way ('': to none). Answers
-- what stands there now, "shard|epoch|moving", '' where there is no list of shards; and whether this wrote it.
local shards, field = P .. 'shards', 'source:' .. req.source
if call('EXISTS', shards) == 0 then return cmsgpack.pack({'', false}) end
local found = call('HGET', shards, field) or ''
if found ~= req.before then return cmsgpack.pack({found, false}) end
local epoch = call('HINCRBY', shards, 'epoch', 1)
local value = req.shard .. '|' .. epoch .. '|' .. req.moving
call('HSET', shards, field, value)
call('HSET', P .. 'life', 'shards', epoch)
return cmsgpack.pack({value, true})
