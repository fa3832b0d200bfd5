#!lua flags=allow-oom
-- Writes how far a bulk action has come, and what came of items of it that nothing was done to. A worker that looked at
-- the same rows as another moves it once. req: {action, from, cursor, looked, waits, items = {{id, result}…}}.
local record = P .. 'action:' .. req.action
if call('HGET', record, 'state') ~= 'running' then return end
for _, item in ipairs(req.items) do
  local id, result = unpack(item)
  note_item(id, result)
end
if req.waits ~= '' then call('HSET', record, 'waits', req.waits) else call('HDEL', record, 'waits') end
if call('HGET', record, 'cursor') ~= req.from then return end
call('HSET', record, 'cursor', req.cursor)
call('HINCRBY', record, 'looked', req.looked)
