#!lua flags=allow-oom
-- Writes in a shard whether it owns a source, as the list of shards says with this epoch; what is older changes nothing.
-- req: {source ('': none, the list of what is owned is made), epoch, state: owned or closed}. Answers whether that is so now.
local ownership, owned = P .. 'ownership', P .. 'owned'
if req.source ~= '' then
  local epoch, state = string.match(call('HGET', ownership, req.source) or '', '^(%d+)|(%a+)$')
  if epoch and tonumber(epoch) > req.epoch then return cmsgpack.pack(false) end
  if epoch and tonumber(epoch) == req.epoch and state ~= req.state then return cmsgpack.pack(false) end
  call('HSET', ownership, req.source, string.format('%d', req.epoch) .. '|' .. req.state)
end
local names = {}
local all = call('HGETALL', ownership)
for i = 1, #all, 2 do
  if string.find(all[i + 1], '|owned', 1, true) then names[#names + 1] = all[i] end
end
call('SET', owned, '\n' .. table.concat(names, '\n') .. '\n')
return cmsgpack.pack(true)
