#!lua flags=allow-oom
-- Writes the records of a packed receipt as they were, where the packed one is still what was read of it.
-- req: {receipt, digest, fields: how many texts its hash is, deliveries = {rewriting.UnpackedDelivery…}, contents = {id…}};
-- blobs: the texts of the hash, the body; of each delivery the texts of its hash and its story; the contents.
-- Answers whether it was so.
local receipt = req.receipt
local value = call('GET', P .. 'p:' .. receipt)
if not value or redis.sha1hex(value) ~= req.digest then return cmsgpack.pack(false) end
local taken = 1
local function take(n)
  taken = taken + n
  return unpack(ARGV, taken - n + 1, taken)
end

call('HSET', P .. 'r:' .. receipt, take(req.fields))
call('SET', P .. 'b:' .. receipt, take(1))
for _, delivery in ipairs(req.deliveries) do
  local id, fields, story, once = unpack(delivery)
  call('HSET', P .. 'd:' .. id, take(fields))
  if story > 0 then call('RPUSH', P .. 'a:' .. id, take(story)) end
  if once then call('HDEL', P .. 'once:' .. string.sub(id, 1, 3), id) end
  call('UNLINK', P .. 'in:' .. id)
end
for _, id in ipairs(req.contents) do call('SET', P .. 'c:' .. id, take(1)) end
local finished_at = call('ZSCORE', P .. 'finished:packed', receipt)
call('ZREM', P .. 'finished:packed', receipt)
call('ZADD', P .. 'finished', finished_at, receipt)
call('UNLINK', P .. 'p:' .. receipt)
return cmsgpack.pack(true)
