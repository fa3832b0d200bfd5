#!lua flags=allow-oom
-- Spends of every cap, or of none. req: {caps = {{key, amount, limit, until_ms}…}}.
-- Answers {key, wait_ms} of the first cap that would not hold; key "": spent.
local function note(key) return P .. 'note:' .. key end
for _, cap in ipairs(req.caps) do
  local key, amount, limit, until_ms = unpack(cap)
  if tonumber(call('GET', note(key)) or 0) + amount > limit then
    return cmsgpack.pack({key, math.max(until_ms - now, 0)})
  end
end
for _, cap in ipairs(req.caps) do
  call('INCRBY', note(cap[1]), cap[2])
  call('PEXPIREAT', note(cap[1]), cap[4])
end
return cmsgpack.pack({'', 0})
