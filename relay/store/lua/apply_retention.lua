#!lua flags=allow-oom
-- Removes the oldest finished receipts with their events, deliveries and contents: those over their age, and those over
-- the count. The ids of `once` deliveries stay for good, in small hashes. req: {finished_ms, dead_ms, count, max}.
-- Answers how many it removed.
local function remove_delivery(receipt, id)
  local record = P .. 'd:' .. id
  local event, sink, state, once, content = unpack(call('HMGET', record, 'ev', 'sink', 'state', 'once', 'c'))
  -- A `once` delivery that this receipt only refers to belongs to another.
  if not event or receipt_of(event) ~= receipt then return end
  if once and state ~= 'skipped' then call('HSET', P .. 'once:' .. string.sub(id, 1, 3), id, state) end
  if state == 'dead' then call('ZREM', P .. 'dead:' .. sink, id) end
  call('DEL', record, P .. 'a:' .. id, P .. 'c:' .. content)
end

local function remove_receipt(receipt)
  local record = P .. 'r:' .. receipt
  local flat = call('HGETALL', record)
  local source, state = unpack(call('HMGET', record, 'src', 'state'))
  for i = 1, #flat, 2 do
    local kind, id = string.match(flat[i], '^(%l):(.*)$')
    if kind == 'd' then remove_delivery(receipt, id) end
    if kind == 'c' then call('DEL', P .. 'c:' .. id) end  -- of a delivery that a later event took over
    if kind == 'e' then
      local _, entity, entity_id = unpack(cjson.decode(flat[i + 1]))
      call('ZREM', P .. 'events:' .. source .. ':' .. entity .. ':' .. entity_id, receipt .. '.' .. id)
    end
  end
  call('DEL', record, P .. 'b:' .. receipt)
  call('ZREM', P .. 'receipts', receipt)
  if is_listed_by_state(state) then call('ZREM', P .. 'receipts:' .. state, receipt) end
end

local removed = 0
local function remove_oldest(list, age_ms)
  local over = math.max(call('ZCARD', list) - req.count, call('ZCOUNT', list, '-inf', now - age_ms))
  local n = math.min(req.max - removed, over)
  if n <= 0 then return end
  for _, receipt in ipairs(call('ZRANGE', list, 0, n - 1)) do
    remove_receipt(receipt)
    call('ZREM', list, receipt)
    removed = removed + 1
  end
end
remove_oldest(P .. 'finished', req.finished_ms)
remove_oldest(P .. 'finished:dead', req.dead_ms)
count('retired', removed)
write_collected()
return cmsgpack.pack(removed)
