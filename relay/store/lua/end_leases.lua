#!lua flags=allow-oom
-- Lets the leases of a worker that is gone run out now, and the slots that it has borrowed of this shard: the next claims take
-- back what it had, as they do with any lease.
-- req: {worker, sending}. `sending`: those of sinks too, whose bytes may have left; only where its process has ended.
-- Answers how many leases it were.
local MOST = 1000  -- leases of a queue: there are as many as its sink may be sent at once

local function kind_of(queue)
  return queue == 'inbox' and 'r:' or queue == 'jobs' and 'j:' or 'd:'
end

local of_worker, ended = req.worker .. ':', 0
for _, queue in ipairs(call('ZRANGE', P .. 'wake', 0, -1)) do
  if req.sending or not string.match(queue, '^sink:') then
    local leased, leases = P .. 'leased:' .. queue, {}
    for _, id in ipairs(call('ZRANGE', leased, 0, MOST - 1)) do
      local token = string.match(id, '^lent|(.*)$') or call('HGET', P .. kind_of(queue) .. id, 'tok')
      if token and string.sub(token, 1, #of_worker) == of_worker then
        leases[#leases + 1] = now
        leases[#leases + 1] = id
      end
    end
    if #leases > 0 then
      call('ZADD', leased, 'LT', unpack(leases))
      wake(queue, now)
      ended = ended + #leases / 2
    end
  end
end
return cmsgpack.pack(ended)
