#!lua flags=allow-oom
-- Removes the bulk actions that ended before, with the lists of what they touched. req: {age_ms, count, max}.
-- Answers how many it were.
local ended = P .. 'actions:ended'
local over = math.max(call('ZCARD', ended) - req.count, call('ZCOUNT', ended, '-inf', now - req.age_ms))
local ids = over > 0 and call('ZRANGE', ended, 0, math.min(over, req.max) - 1) or {}
for _, id in ipairs(ids) do
  call('UNLINK', P .. 'action:' .. id, P .. 'items:' .. id, P .. 'results:' .. id)
  call('ZREM', P .. 'actions', id)
  call('ZREM', ended, id)
end
return cmsgpack.pack(#ids)
