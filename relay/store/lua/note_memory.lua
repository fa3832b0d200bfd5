#!lua flags=allow-oom
-- Writes how full the store is, before the earlier samples, unless one was written within the hour. req: {used, limit}.
local KEPT, APART_MS = 168, 3300000
local newest = call('LINDEX', P .. 'memory', 0)
local at = tonumber(string.match(newest or '', '^%d+'))
if at and at <= now and now - at < APART_MS then return end
call('LPUSH', P .. 'memory', string.format('%.0f|%.0f|%.0f', now, req.used, req.limit))
call('LTRIM', P .. 'memory', 0, KEPT - 1)
