#!lua flags=allow-oom
-- Ends a job's run: it is due again after `again_ms`, or gone where that is negative. req: {id, token, again_ms}.
-- Answers whether the token still held it.
local record = P .. 'j:' .. req.id
if call('HGET', record, 'tok') ~= req.token then return cmsgpack.pack(false) end
if call('ZREM', P .. 'leased:jobs', req.id) == 0 then return cmsgpack.pack(false) end
if req.again_ms < 0 then
  call('DEL', record)
else
  call('HDEL', record, 'tok', 'died', 'alone', 'reason')
  call('ZADD', P .. 'due:jobs', now + req.again_ms, req.id)
end
update_wake('jobs')
return cmsgpack.pack(true)
