-- Makes a job unless it is there. req: {id, kind, args, delay_ms}. Answers whether the bell of the jobs was set.
local record = P .. 'j:' .. req.id
if call('EXISTS', record) == 1 then return cmsgpack.pack(false) end
call('HSET', record, 'kind', req.kind, 'args', req.args)
call('ZADD', P .. 'due:jobs', now + req.delay_ms, req.id)
return cmsgpack.pack(wake('jobs', now + req.delay_ms) and req.delay_ms <= 0 and set_bell('jobs'))
