#!lua flags=allow-oom
-- Takes what may be taken of a queue now, under a lease. Leases that ran out come back first; what killed its worker
-- again and again is taken alone, and buried at the fifth death.
-- req: {queue, kind = 'r' | 'd' | 'j', token, max, lease_ms, concurrency (0: no bound), limits = {{key, count, per_ms}…},
--   batch, batch_from (from so many due up to `batch` are taken for one call; 0: never)}
-- Answers {wait_ms (-1: nothing to wait for), {buried…}, {{id, fields…}…}, batched} and the blobs, one an item.
local queue, kind = req.queue, req.kind
local due, leased = P .. 'due:' .. queue, P .. 'leased:' .. queue
local FIELDS = {
  r = {'died', 'src', 'at', 'ct', 'ua', 'rq', 'z'},
  d = {'died', 'ev', 'src', 'route', 'acc', 'at', 'att', 'send', 'c', 'sends', 'sink'},
  j = {'died', 'kind', 'args'},
}
local buried = {}

local bury = {
  r = function(id)
    local record = P .. 'r:' .. id
    call('HSET', record, 'state', 'quarantined', 'reason', DIED, 'dead', 1)  -- kept as long as a dead letter is
    count('receipt|' .. (call('HGET', record, 'src') or '') .. '|quarantined')
    close_one_of(id)
  end,
  d = function(id)
    local record = P .. 'd:' .. id
    local sink, event = unpack(call('HMGET', record, 'sink', 'ev'))
    call('HSET', record, 'state', 'dead', 'reason', DIED, 'done', now)
    delivery_closed(id, sink, event, 'dead')
  end,
  -- A job is the relay's own: it is tried again, but not soon.
  j = function(id)
    call('HSET', P .. 'j:' .. id, 'died', 0, 'reason', DIED)
    call('ZADD', due, now + 3600000, id)
  end,
}

local function take_back_expired()
  local ids = call('ZRANGEBYSCORE', leased, '-inf', now, 'LIMIT', 0, EXPIRED_AT_ONCE)
  for _, id in ipairs(ids) do
    call('ZREM', leased, id)
    if call('EXISTS', P .. kind .. ':' .. id) == 1 then
      if call('HINCRBY', P .. kind .. ':' .. id, 'died', 1) >= BURIED_AFTER then
        bury[kind](id)
        buried[#buried + 1] = id
      else
        call('ZADD', due, now, id)
      end
    end
  end
end

-- Half from the oldest, half from the newest: a mountain of stale work never starves what is fresh, nor the other way round.
-- The odd one is for either: a busy sink frees one slot at a time.
local function candidates(n)
  if call('ZCOUNT', due, '-inf', now) <= n then return call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, n) end
  local old = math.floor((n + now % 2) / 2)
  local ids = call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, old)
  for _, id in ipairs(call('ZREVRANGEBYSCORE', due, now, '-inf', 'LIMIT', 0, n - old)) do ids[#ids + 1] = id end
  return ids
end

-- The gate: how many may pass now, and when to ask again. After its time one passes, and decides.
local gate, routes_closed = {}, {}
local function through_gate(slots)
  local flat = call('HGETALL', P .. 'gate:' .. queue)
  for i = 1, #flat, 2 do
    local route = string.match(flat[i], '^route:(.*)$')
    if not route then
      gate[flat[i]] = flat[i + 1]
    elseif tonumber(flat[i + 1]) > now then
      routes_closed[route] = tonumber(flat[i + 1])
    else
      call('HDEL', P .. 'gate:' .. queue, flat[i])
    end
  end
  if gate.paused then return 0, nil end
  local till = tonumber(gate['until'])
  if not till then return slots, nil end
  if till > now then return 0, till end
  return math.min(slots, 1 - call('ZCARD', leased)), nil
end

local function answer(ask_at, items, blobs, batched)
  write_counts()
  local reply = {cmsgpack.pack({ask_at and math.max(ask_at - now, 0) or -1, buried, items, batched or false})}
  for i, blob in ipairs(blobs) do reply[i + 1] = blob end
  return reply
end

take_back_expired()
local slots, ask_at = through_gate(req.max)
if gate.paused then
  call('ZREM', P .. 'wake', queue)
  return answer(nil, {}, {})
end
if req.concurrency > 0 then slots = math.min(slots, req.concurrency - call('ZCARD', leased)) end
for _, limit in ipairs(req.limits) do
  if slots > 0 then
    local free, at = free_of(limit, slots)
    slots = math.min(slots, free)
    if slots <= 0 then ask_at = at end
  end
end
if slots <= 0 then
  -- With an hour to ask at, wake then; without one every slot is taken, and the settle of one will wake.
  local at = rewake(queue, ask_at or math.huge)
  return answer(at and ask_at, {}, {})
end

-- A batch is one call, so it takes one slot and one grant. While it is out nothing else is: leases are counted one by one.
local batched = req.batch > 1 and not gate['until'] and call('ZCOUNT', due, '-inf', now) >= req.batch_from
if batched then slots = req.batch end

local function read(id)
  local record = call('HMGET', P .. kind .. ':' .. id, unpack(FIELDS[kind]))
  if not record[2] then return nil end
  local blob
  if kind == 'r' then blob = call('GET', P .. 'b:' .. id) elseif kind == 'd' then blob = call('GET', P .. 'c:' .. record[9]) end
  record[1] = record[1] or '0'
  return record, blob or ''
end

local items, blobs, moved, leases = {}, {}, {}, {}
for _, id in ipairs(candidates(slots)) do
  local record, blob = read(id)
  local closed = record and kind == 'd' and routes_closed[record[4]]
  if not record then
    call('ZREM', due, id)
  elseif closed then
    call('ZADD', due, closed, id)
  elseif tonumber(record[1]) < ALONE_AFTER or #items == 0 then
    call('HSET', P .. kind .. ':' .. id, 'tok', req.token)
    for i = 1, #FIELDS[kind] do record[i] = record[i] or '' end
    table.insert(record, 1, id)
    items[#items + 1], blobs[#blobs + 1], moved[#moved + 1] = record, blob, id
    leases[#leases + 1] = now + req.lease_ms
    leases[#leases + 1] = id
    if tonumber(record[2]) >= ALONE_AFTER then break end
  end
end
if #moved > 0 then
  call('ZREM', due, unpack(moved))
  call('ZADD', leased, unpack(leases))
  for _, limit in ipairs(req.limits) do grant(limit, batched and 1 or #moved) end
end
-- What is still due may be taken at once, or when the limits allow: the drainer asks again by itself.
local at = rewake(queue, 0)
return answer(at, items, blobs, batched)
