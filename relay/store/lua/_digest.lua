-- Returns what tells whether a receipt and its deliveries have changed since they were read (`digest_of` in packing.py).
local function digest_of(receipt, deliveries)
  local texts = call('HGETALL', P .. 'r:' .. receipt)
  local function append(reply)
    for _, text in ipairs(reply) do texts[#texts + 1] = text end
  end
  for _, id in ipairs(deliveries) do
    append(call('HGETALL', P .. 'd:' .. id))
    append(call('LRANGE', P .. 'a:' .. id, 0, -1))
  end
  return redis.sha1hex(table.concat(texts, '\0'))
end
