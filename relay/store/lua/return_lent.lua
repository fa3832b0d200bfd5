#!lua flags=allow-oom
-- In the home of a sink: takes back what another shard does not use of what it was lent, as nothing of it has started.
-- req: lending.ReturnRequest. Answers how many slots were still lent of those that are given back.
local returned = take_back_slots(req.queue, lent_slots(req.token, req.used + 1, req.slots))
for _, limit in ipairs(returned > 0 and req.limits or {}) do return_grants(limit, returned, req.at) end
local gate, leased = read_gate(req.queue), P .. 'leased:' .. req.queue

for _, trial in ipairs(req.unused) do
  local route, closed_until = unpack(trial)
  if get_gate(gate, TRIAL, route) == req.token then
    set_gate(gate, UNTIL, route, closed_until)
    set_gate(gate, TRIAL, route, nil)
  end
end
for _, begun in ipairs(req.begun) do
  local route, blocked = unpack(begun)
  if get_gate(gate, TRIAL, route) == req.token then
    set_gate(gate, UNTIL, route, get_gate(gate, UNTIL, route) + req.longer_ms)
    if not blocked then set_gate(gate, TRIED, route, (get_gate(gate, TRIED, route) or 0) + 1) end
  end
end
if req.longer_ms > 0 then
  for _, slot in ipairs(lent_slots(req.token, 1, req.used)) do
    local ends = call('ZSCORE', leased, slot)
    if ends then call('ZADD', leased, ends + req.longer_ms, slot) end
  end
end
update_wake_and_call(req.queue)
write_collected()
return cmsgpack.pack(returned)
