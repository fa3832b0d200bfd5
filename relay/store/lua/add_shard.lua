#!lua flags=allow-oom
-- Adds a shard to the list of the first one, unless it is there; with the first that is added the sources that were ever
-- registered are this store's own, and it is the home of all sinks that were. req: {shard}. Answers the epoch.
local shards, ownership = P .. 'shards', P .. 'ownership'
local field = 'shard:' .. req.shard
if call('HEXISTS', shards, field) == 1 then return cmsgpack.pack(tonumber(call('HGET', shards, 'epoch'))) end
local epoch = call('HINCRBY', shards, 'epoch', 1)
if epoch == 1 then
  call('HSET', shards, 'shard:00', now)
  local names = call('SMEMBERS', P .. 'sources')
  for _, source in ipairs(names) do
    call('HSET', shards, 'source:' .. source, '00|' .. epoch .. '|')
    call('HSET', ownership, source, epoch .. '|owned')
  end
  for _, sink in ipairs(call('HKEYS', P .. 'sinks')) do
    -- A subscriber is where its source is.
    if not string.match(sink, '^sub%-') then call('HSET', shards, 'home:' .. sink, '00') end
  end
  call('SET', P .. 'owned', '\n' .. table.concat(names, '\n') .. '\n')
end
call('HSET', shards, field, now)
call('HSET', P .. 'life', 'shards', epoch)
return cmsgpack.pack(epoch)
