#!lua flags=allow-oom
-- Writes who events speak of, by keyed hashes, and how far the index reaches. What retention has removed meanwhile stays
-- out of it. req: {rows = {{receipt, index of the event, {hash…}}…}, key, score, member, looked_up: how many to take off}.
for _, row in ipairs(req.rows) do
  local receipt, index, hashes = unpack(row)
  local accepted_at = call('HGET', P .. 'r:' .. receipt, 'at')
  for _, hash in ipairs(accepted_at and hashes or {}) do
    call('ZADD', P .. 'people:' .. hash, accepted_at, receipt .. '.' .. index)
    call('HSET', P .. 'r:' .. receipt, 'w:' .. hash .. ':' .. index, '')
  end
end
call('HSET', P .. 'people', 'key', req.key, 'score', req.score, 'member', req.member)
if req.looked_up > 0 then call('LTRIM', P .. 'lookedup', req.looked_up, -1) end
