#!lua flags=allow-oom
-- Takes a person out of a receipt: of the events that speak of them what says something is rewritten or removed, in the
-- hook, in what was sent because of it, in stories and in lists. Which, when, and in which state stays. Nothing is done
-- where the receipt has changed since it was read, or an attempt of such a delivery is out.
-- req: {receipt, digest, listed = {id…} of which the digest is, indexes = {index…} of events, body: whether there is one,
-- fields = {name, value…} of the receipt, without = {name…}, deliveries = {rewriting.ErasedDelivery…}, contents = {id…},
-- shared = {key…}, not_asked = {id…} of deliveries whose sinks cannot be asked}, of a bulk action also {action}; blobs:
-- the body, then of each delivery its fields in turn and its story.
-- Answers how it went: done, changed, stopped, packed, gone, open.
local receipt = req.receipt
local record = P .. 'r:' .. receipt

local function is_open()
  for _, delivery in ipairs(req.deliveries) do
    local state = call('HGET', P .. 'd:' .. delivery[1], 'state')
    if state == 'pending' or state == 'held' or state == 'dead' then return true end
  end
  return call('HGET', record, 'state') == 'accepted'
end

-- Takes an event off the lists of whoever it speaks of.
local function remove_people()
  local erased = {}
  for _, index in ipairs(req.indexes) do erased[tostring(index)] = true end
  for _, name in ipairs(call('HKEYS', record)) do
    local hash, index = string.match(name, '^w:(.*):(%d+)$')
    if hash and erased[index] then
      call('ZREM', P .. 'people:' .. hash, receipt .. '.' .. index)
      call('HDEL', record, name)
    end
  end
end

local taken = 1
local function take(n)
  taken = taken + n
  return unpack(ARGV, taken - n + 1, taken)
end

local function erase()
  if req.body then call('SET', P .. 'b:' .. receipt, take(1)) end
  if #req.fields > 0 then call('HSET', record, unpack(req.fields)) end
  if #req.without > 0 then call('HDEL', record, unpack(req.without)) end
  for _, index in ipairs(req.indexes) do call('HSET', record, 'x:' .. index, now) end
  remove_people()
  for _, delivery in ipairs(req.deliveries) do
    local id, fields, story = unpack(delivery)
    call('UNLINK', P .. 'a:' .. id)
    call('HSET', P .. 'd:' .. id, 'size', 0, take(fields))
    if story > 0 then call('RPUSH', P .. 'a:' .. id, take(story)) end
  end
  for _, id in ipairs(req.contents) do call('SET', P .. 'c:' .. id, '', 'XX') end
  for _, key in ipairs(req.shared) do call('UNLINK', P .. 'note:' .. key) end
  note_item(receipt, 'erased')
  for _, id in ipairs(req.not_asked) do note_item(id, 'not asked') end
  note_progress()
  return 'done'
end

local function answer()
  if action_obstacle('') == 'stopped' then return 'stopped' end
  if call('EXISTS', record) == 0 then return has_receipt(receipt) and 'packed' or 'gone' end
  if digest_of(receipt, req.listed) ~= req.digest then return 'changed' end
  return is_open() and 'open' or erase()
end
return cmsgpack.pack(answer())
