#!lua flags=allow-oom
-- Pauses a sink, or lets it go on: then a gate that its answers closed is open, too. req: {queue, what, act, by, why,
-- until_ms (0: until a person resumes it)}. Answers {whether it was done, else by whom and why it is paused}; '' and why
-- where that is because its subscription is disabled, which only enabling ends.
local gate = read_gate(req.queue)
local paused = gate.fields.paused

-- What answers closed: routes, and the queue's own gate as ''.
local closed = {}
for field in pairs(gate.fields) do
  closed[#closed + 1] = string.match(field, '^route:(.*)$') or (field == 'until' and '' or nil)
end

local function pause()
  call('HSET', gate.key, 'paused', 1, 'paused_since', now, 'paused_by', req.by, 'paused_why', req.why)
  if req.until_ms > 0 then call('HSET', gate.key, 'paused_until', req.until_ms) end
  write_history(req.queue, 'paused', req.why, '', req.by)
end

local function resume()
  if paused then end_pause(gate, req.why, req.by) end
  for _, route in ipairs(closed) do open_gate(gate, route, req.why, req.by) end
end

if paused and (req.act == 'pause' or not gate.fields.paused_by) then
  write_collected()  -- a route's gate was opened as it was read
  return cmsgpack.pack({false, gate.fields.paused_by or '', gate.fields.paused_why or ''})
end
if req.act == 'resume' and not paused and #closed == 0 then
  write_collected()
  return cmsgpack.pack({false, '', ''})
end
write_audit(req.act, req.what, paused and 'paused' or #closed > 0 and 'closed' or 'open')
if req.act == 'pause' then pause() else resume() end
update_wake_and_call(req.queue)
write_collected()
return cmsgpack.pack({true, '', ''})
