#!lua flags=allow-oom
-- Sets the bells of the queues that are worth a look now. req: {}. Answers those whose bell was not set.
local queues = {}
for _, queue in ipairs(call('ZRANGEBYSCORE', P .. 'wake', '-inf', now)) do
  if set_bell(queue) then queues[#queues + 1] = queue end
end
return cmsgpack.pack(queues)
