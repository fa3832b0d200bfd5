#!lua flags=allow-oom
-- Writes how far a bulk action has come, and what came of items of it that nothing was done to. A worker that looked at
-- the same rows as another moves it once. req: {action, from, cursor, looked, waits, items = {{id, result}…}}. Answers
-- whether the action runs; where it does not, nothing is written.
local record = P .. 'action:' .. req.action
if call('HGET', record, 'state') ~= 'running' then return cmsgpack.pack(false) end
for _, item in ipairs(req.items) do
  local id, result = unpack(item)
  note_item(id, result)
end
if req.waits ~= '' then call('HSET', record, 'waits', req.waits) else call('HDEL', record, 'waits') end
if call('HGET', record, 'cursor') ~= req.from then return cmsgpack.pack(true) end
call('HSET', record, 'cursor', req.cursor)
call('HINCRBY', record, 'looked', req.looked)
if req.cursor ~= req.from then note_progress() end
return cmsgpack.pack(true)
