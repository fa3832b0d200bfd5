#!lua flags=allow-oom
-- Writes who events speak of, by keyed hashes, and how far the index reaches. What retention has removed meanwhile stays
-- out of it. req: {rows = {{receipt, index of the event, {hash…}}…}, key, score, member, looked_up: how many to take off}.

-- Notes people with a packed receipt, each once.
local function note_packed(receipt, index, hashes)
  local packed, people, records = split_packed(receipt)
  local noted = cmsgpack.unpack(people)
  local known = {}
  for _, person in ipairs(noted) do known[person] = true end
  for _, hash in ipairs(hashes) do
    local person = hash .. ':' .. index
    if not known[person] then noted[#noted + 1] = person end
  end
  people = cmsgpack.pack(noted)
  call('SET', P .. 'p:' .. receipt, '1|' .. #packed .. '|' .. #people .. '|' .. packed .. people .. records)
end

for _, row in ipairs(req.rows) do
  local receipt, index, hashes = unpack(row)
  local accepted_at = call('HGET', P .. 'r:' .. receipt, 'at')
  local packed = not accepted_at and read_packed(receipt)
  if call('HEXISTS', P .. 'r:' .. receipt, 'x:' .. index) == 1 then hashes = {} end  -- read before they were erased
  for _, hash in ipairs((accepted_at or packed) and hashes or {}) do
    call('ZADD', P .. 'people:' .. hash, accepted_at or packed.accepted_at, receipt .. '.' .. index)
    if accepted_at then call('HSET', P .. 'r:' .. receipt, 'w:' .. hash .. ':' .. index, '') end
  end
  if packed then note_packed(receipt, index, hashes) end
end
call('HSET', P .. 'people', 'key', req.key, 'score', req.score, 'member', req.member)
if req.looked_up > 0 then call('LTRIM', P .. 'lookedup', req.looked_up, -1) end
