#!lua flags=allow-oom
-- Marks that the bytes of deliveries are about to leave, where a repeat may double. Who finds the mark of a dead attempt
-- does not just send. req: {items: [[id, token]]}. Answers for each whether its token still holds the lease; without it
-- nothing may leave.
local function marked(id, token)
  local own = P .. 'd:' .. id
  local known, state, sink, sends = unpack(call('HMGET', own, 'tok', 'state', 'sink', 'sends'))
  if known ~= token or state ~= 'pending' then return false end
  -- A lease that ran out may be taken by another the next moment, whom the mark would stop.
  local till = call('ZSCORE', P .. 'leased:sink:' .. sink, id)
  if not till or tonumber(till) <= now then return false end
  call('HSET', own, 'send', now, 'sends', (sends or 0) + 1)
  return true
end

local answers = {}
for i, item in ipairs(req.items) do answers[i] = marked(item[1], item[2]) end
return cmsgpack.pack(answers)
