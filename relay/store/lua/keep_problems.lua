#!lua flags=allow-oom
-- Notes when each of the problems that are open was first found, and forgets those that have ended: one that comes back
-- is new. What has opened is a fact where its kind is one. req: {open = {id…}, facts = {id =
-- problems.ProblemFact…}}.
local problems, open = P .. 'problems', {}
for _, id in ipairs(req.open) do
  open[id] = true
  local opened_now = call('HSETNX', problems, id, cjson.encode({first_at = now})) == 1
  if opened_now and req.facts[id] then
    local kind, group, views = unpack(req.facts[id])
    note_fact(kind, group, views)
  end
end
for _, id in ipairs(call('HKEYS', problems)) do
  if not open[id] then call('HDEL', problems, id) end
end
write_collected()
