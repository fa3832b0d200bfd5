#!lua flags=allow-oom
-- Removes the oldest finished receipts with all that hangs on them: those over their age, and those over the count.
-- `once` identities stay, in small buckets, for good. req: {finished_ms, dead_ms, count, max}. Answers how many it removed.
local function remove_delivery(receipt, id)
  local own = P .. 'd:' .. id
  local event, sink, state, once, content = unpack(call('HMGET', own, 'ev', 'sink', 'state', 'once', 'c'))
  -- A `once` delivery that this receipt only refers to belongs to another.
  if not event or receipt_of(event) ~= receipt then return end
  if once and state ~= 'skipped' then call('HSET', P .. 'once:' .. string.sub(id, 1, 3), id, state) end
  if state == 'dead' then call('ZREM', P .. 'dead:' .. sink, id) end
  call('DEL', own, P .. 'a:' .. id, P .. 'c:' .. content)
end

local function remove(receipt)
  local record = P .. 'r:' .. receipt
  local flat = call('HGETALL', record)
  local source = call('HGET', record, 'src') or ''
  for i = 1, #flat, 2 do
    local kind, n = string.match(flat[i], '^(%l):(.*)$')
    if kind == 'd' then remove_delivery(receipt, n) end
    if kind == 'c' then call('DEL', P .. 'c:' .. n) end  -- of a delivery that a later event took over
    if kind == 'e' then
      local event = cjson.decode(flat[i + 1])
      call('SREM', P .. 'of:' .. source .. ':' .. event[2] .. ':' .. event[3], receipt .. '.' .. n)
    end
  end
  call('DEL', record, P .. 'b:' .. receipt)
  call('ZREM', P .. 'receipts', receipt)
end

local removed = 0
local function retire(key, age_ms, keep)
  local over = call('ZCARD', key) - keep
  local wanted = math.min(req.max - removed, math.max(over, call('ZCOUNT', key, '-inf', now - age_ms)))
  if wanted <= 0 then return end
  for _, receipt in ipairs(call('ZRANGE', key, 0, wanted - 1)) do
    remove(receipt)
    call('ZREM', key, receipt)
    removed = removed + 1
  end
end
retire(P .. 'finished', req.finished_ms, req.count)
retire(P .. 'finished:dead', req.dead_ms, req.count)
count('retired', removed)
write_collected()
return cmsgpack.pack(removed)
