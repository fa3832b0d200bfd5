#!lua flags=allow-oom
-- Notes when each of the problems that are open was first found, and forgets those that have ended: one that comes back
-- is new. req: {open = {id…}}.
local problems, open = P .. 'problems', {}
for _, id in ipairs(req.open) do
  open[id] = true
  call('HSETNX', problems, id, cjson.encode({first_at = now}))
end
for _, id in ipairs(call('HKEYS', problems)) do
  if not open[id] then call('HDEL', problems, id) end
end
