#!lua flags=allow-oom
-- Writes that a part of a worker stood still, before the last ones. req: {worker, part}.
local KEPT, KEPT_MS = 20, 3600000
call('LPUSH', P .. 'stalls', now .. '|' .. req.part .. '|' .. req.worker)
call('LTRIM', P .. 'stalls', 0, KEPT - 1)
call('PEXPIRE', P .. 'stalls', KEPT_MS)
