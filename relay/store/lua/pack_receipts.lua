#!lua flags=allow-oom
-- Packs finished receipts that are as they were when they were read. Of a `once` delivery its identity stays as retention
-- leaves it. Notes how far this has come.
-- req: {after_ms, rows = {rewriting.PackRow…}, score, member}; blobs: the values. Answers for each whether it is packed now.
local function pack(row, value)
  local receipt, digest, deliveries, contents, once = unpack(row)
  local finished_at = tonumber(call('ZSCORE', P .. 'finished', receipt) or nil)
  -- Until then workers may speak of it, and amoCRM repeat it.
  if not finished_at or finished_at > now - req.after_ms then return false end
  if digest_of(receipt, deliveries) ~= digest then return false end
  local keys = {P .. 'r:' .. receipt, P .. 'b:' .. receipt}
  for _, id in ipairs(contents) do keys[#keys + 1] = P .. 'c:' .. id end
  for _, id in ipairs(deliveries) do
    keys[#keys + 1] = P .. 'd:' .. id
    keys[#keys + 1] = P .. 'a:' .. id
    call('SET', P .. 'in:' .. id, receipt)
  end
  for id, state in pairs(once) do call('HSET', P .. 'once:' .. string.sub(id, 1, 3), id, state) end
  call('UNLINK', unpack(keys))
  call('SET', P .. 'p:' .. receipt, value)
  call('ZREM', P .. 'finished', receipt)
  call('ZADD', P .. 'finished:packed', finished_at, receipt)
  return true
end

local answers = {}
for i, row in ipairs(req.rows) do answers[i] = pack(row, ARGV[i + 1]) end
call('HSET', P .. 'packing', 'score', req.score, 'member', req.member)
return cmsgpack.pack(answers)
