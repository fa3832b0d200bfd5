#!lua flags=allow-oom
-- Writes what is carried of a source to another shard, unless that shard has it by now by a later move: it goes on there.
-- req: {source, epoch: of the move, commands = {{name, argument…}…}}; blobs: the arguments that are false there, in order.
-- Answers whether it was written.
local known = string.match(call('HGET', P .. 'ownership', req.source) or '', '^%d+')
if known and tonumber(known) > req.epoch then return cmsgpack.pack(false) end
local blob = 1
for _, command in ipairs(req.commands) do
  for i, argument in ipairs(command) do
    if argument == false then blob, command[i] = blob + 1, ARGV[blob + 1] end
  end
  call(unpack(command))
end
return cmsgpack.pack(true)
