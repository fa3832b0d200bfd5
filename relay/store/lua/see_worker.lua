#!lua flags=allow-oom
-- Writes that a worker lives, and forgets those that have not been seen for long. req: {worker, jobs = {id…}}.
-- Answers whether the store knows the jobs: one that was emptied has to be told everything again.
local FORGET_MS = 3600000
call('ZADD', P .. 'workers', now, req.worker)
call('ZREMRANGEBYSCORE', P .. 'workers', '-inf', now - FORGET_MS)
local known = true
for _, id in ipairs(req.jobs) do known = known and call('EXISTS', P .. 'j:' .. id) == 1 end
return cmsgpack.pack(known)
