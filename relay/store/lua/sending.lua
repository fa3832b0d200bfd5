#!lua flags=allow-oom
-- Marks that a delivery's bytes are about to leave, where a repeat may double. Who finds the mark of a dead attempt does
-- not just send. req: {id, token}. Answers whether the token still holds the lease; without it nothing may leave.
local own = P .. 'd:' .. req.id
if call('HGET', own, 'tok') ~= req.token or call('HGET', own, 'state') ~= 'pending' then return cmsgpack.pack(false) end
call('HSET', own, 'send', now)
return cmsgpack.pack(true)
