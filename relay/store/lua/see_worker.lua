#!lua flags=allow-oom
-- Writes that a worker lives, and forgets those that have not been seen for long. req: {worker}.
local FORGET_MS = 3600000
call('ZADD', P .. 'workers', now, req.worker)
call('ZREMRANGEBYSCORE', P .. 'workers', '-inf', now - FORGET_MS)
