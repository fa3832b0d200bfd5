#!lua flags=allow-oom
-- Writes in the first shard which is the home of sinks that have none yet. req: {groups = {{shard, {sink…}}…}}: sinks that
-- share a limit have one home, that of any of them, else the shard. Answers the epoch of the list of shards.
local shards = P .. 'shards'
if call('EXISTS', shards) == 0 then return cmsgpack.pack(0) end
local any_new = false
for _, group in ipairs(req.groups) do
  local home, sinks = unpack(group)
  for _, sink in ipairs(sinks) do home = call('HGET', shards, 'home:' .. sink) or home end
  for _, sink in ipairs(sinks) do any_new = call('HSETNX', shards, 'home:' .. sink, home) == 1 or any_new end
end
local epoch = any_new and call('HINCRBY', shards, 'epoch', 1) or tonumber(call('HGET', shards, 'epoch'))
if any_new then call('HSET', P .. 'life', 'shards', epoch) end
return cmsgpack.pack(epoch)
