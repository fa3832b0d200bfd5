-- In a shard that is not the home of a sink: what its home says of the gates, as this shard's scripts read it. Nothing of
-- a copy is written; only how far what waits because the sink failed is made due is this shard's own.
-- `granted`: lending.Granted; `blocked`: what deliveries are to remember that are settled now.
local function copied_gate(queue, granted, blocked)
  local away = P .. 'away:' .. queue
  local gate = {queue = queue, key = away, fields = {}, is_copy = true, blocked = blocked, marks = {}}
  local later = now - granted.at  -- of this clock than of the home's
  for i = 1, #granted.gate, 2 do
    local name, value = granted.gate[i], granted.gate[i + 1]
    if name == 'until' or string.match(name, '^route:') then value = tostring(value + later) end
    gate.fields[name] = value
  end
  if granted.slots == 0 then return gate end
  local openings, advance = unpack(call('HMGET', away, 'openings', 'advance'))
  if granted.openings > tonumber(openings or 0) then
    call('HSET', away, 'openings', granted.openings, 'advance', 0)
    advance = 0
  end
  gate.fields.advance = advance or nil
  return gate
end
