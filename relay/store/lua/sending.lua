#!lua flags=allow-oom
-- Marks that a delivery's bytes are about to leave, where a repeat may double. Who finds the mark of a dead attempt does
-- not just send. req: {id, token}. Answers whether the token still holds the lease; without it nothing may leave.
local own = P .. 'd:' .. req.id
local token, state, sink = unpack(call('HMGET', own, 'tok', 'state', 'sink'))
if token ~= req.token or state ~= 'pending' then return cmsgpack.pack(false) end
-- A lease that ran out may be taken by another the next moment, whom the mark would stop.
local till = call('ZSCORE', P .. 'leased:sink:' .. sink, req.id)
if not till or tonumber(till) <= now then return cmsgpack.pack(false) end
call('HSET', own, 'send', now)
call('HINCRBY', own, 'sends', 1)
return cmsgpack.pack(true)
