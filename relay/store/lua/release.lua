#!lua flags=allow-oom
-- Gives back what a worker that stops has claimed but not begun. req: {queue, kind, token, ids}. Answers how many.
local given = 0
for _, id in ipairs(req.ids) do
  local record = P .. req.kind .. ':' .. id
  if call('HGET', record, 'tok') == req.token and call('ZREM', P .. 'leased:' .. req.queue, id) == 1 then
    call('HDEL', record, 'tok')
    call('ZADD', P .. 'due:' .. req.queue, now, id)
    given = given + 1
  end
end
rewake(req.queue)
return cmsgpack.pack(given)
