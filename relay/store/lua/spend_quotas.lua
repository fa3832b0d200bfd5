#!lua flags=allow-oom
-- Spends of every quota, or of none. req: {quotas = {{key, amount, limit, until_ms}…}, budgets = {key = views…}}: that one
-- of these is exceeded is a fact, once until it begins anew.
-- Answers {key, wait_ms} of the first quota that would be exceeded; key '': all were spent of.
local function counter(key) return P .. 'note:' .. key end

for _, quota in ipairs(req.quotas) do
  local key, amount, limit, until_ms = unpack(quota)
  if tonumber(call('GET', counter(key)) or 0) + amount > limit then
    if req.budgets[key] and call('SET', counter(key .. ':told'), '1', 'NX', 'PXAT', until_ms) then
      note_fact('budget_reached', key, req.budgets[key])
      write_collected()
    end
    return cmsgpack.pack({key, math.max(until_ms - now, 0)})
  end
end
for _, quota in ipairs(req.quotas) do
  local key, amount, _, until_ms = unpack(quota)
  call('INCRBY', counter(key), amount)
  call('PEXPIREAT', counter(key), until_ms)
end
return cmsgpack.pack({'', 0})
