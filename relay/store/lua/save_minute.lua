#!lua flags=allow-oom
-- Writes what was counted in the minutes since the last sample, unless another worker has: `after` is the minute up to
-- which the caller knew the totals. req: {after, kept}; blobs: the totals now as "minute|json", and the row, or ''.
local known = string.match(call('GET', P .. 'totals') or '0|', '^%d+')
if tonumber(known) ~= req.after then return end
call('SET', P .. 'totals', ARGV[2])
if ARGV[3] == '' then return end
call('LPUSH', P .. 'minutes', ARGV[3])
call('LTRIM', P .. 'minutes', 0, req.kept - 1)
