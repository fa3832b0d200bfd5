#!lua flags=allow-oom
-- Finds the queues that are worth a look now and have no bell on its way, and sets their bells. req: {}. Answers the queues.
local rung = {}
for _, queue in ipairs(call('ZRANGEBYSCORE', P .. 'wake', '-inf', now)) do
  if ring(queue) then rung[#rung + 1] = queue end
end
return cmsgpack.pack(rung)
