#!lua flags=allow-oom
-- Makes a job unless it is there. No bell is set: a ticker finds it. req: {id, kind, args, delay_ms}.
local record = P .. 'j:' .. req.id
if call('EXISTS', record) == 1 then return end
call('HSET', record, 'kind', req.kind, 'args', req.args)
call('ZADD', P .. 'due:jobs', now + req.delay_ms, req.id)
wake('jobs', now + req.delay_ms)
