-- Takes what may be taken of a queue now, under a lease. Leases that ran out come back first; what killed its worker
-- again and again is taken alone, and buried at the fifth death.
-- wanted: {queue, kind = 'r' | 'd' | 'j', token, max, lease_ms, concurrency (0: no bound), limits = {{key, count, per_ms}…},
--   batch, batch_from (from so many due up to `batch` are taken for one call; 0: never)}
local EXPIRED_AT_ONCE = 100
local MOST_BYTES = 4 * 1024 * 1024  -- of bodies in one claim
local ALONE_AFTER, BURIED_AFTER = 2, 5
local DIED = 'the worker died five times'
local FIELDS = {
  r = {'died', 'src', 'at', 'ct', 'ua', 'rq', 'z', 'size'},
  d = {'died', 'ev', 'src', 'route', 'acc', 'at', 'att', 'send', 'c', 'sends', 'sink'},
  j = {'died', 'kind', 'args'},
}

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
    call('ZADD', P .. 'due:jobs', now + 3600000, id)
  end,
}

-- Returns those that were buried.
local function take_back_expired(kind, due, leased)
  local buried = {}
  for _, id in ipairs(call('ZRANGEBYSCORE', leased, '-inf', now, 'LIMIT', 0, EXPIRED_AT_ONCE)) do
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
  return buried
end

-- Half from the oldest, half from the newest: a mountain of stale work never starves what is fresh, nor the other way round.
-- The odd one is for either: a busy sink frees one slot at a time.
local function candidates(due, n)
  local ids = call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, n + 1)
  if #ids <= n then return ids end
  local old = math.floor((n + time[2] % 2) / 2)  -- microseconds: who claims in step with milliseconds would get one end only
  for i, id in ipairs(call('ZREVRANGEBYSCORE', due, now, '-inf', 'LIMIT', 0, n - old)) do ids[old + i] = id end
  ids[n + 1] = nil
  return ids
end

-- The gate of a queue: its fields, and the routes that are closed, each until when.
local function read_gate(queue)
  local gate, routes_closed = {}, {}
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
  return gate, routes_closed
end

-- How many may be taken, and when to ask again where that is none. After a gate's time one passes, and decides.
local function slots_of(wanted, gate, leased)
  local slots, in_flight = wanted.max, nil
  local till = tonumber(gate['until'])
  if till and till > now then return 0, till end
  if till or wanted.concurrency > 0 then in_flight = call('ZCARD', leased) end
  if till then slots = math.min(slots, 1 - in_flight) end
  if wanted.concurrency > 0 then slots = math.min(slots, wanted.concurrency - in_flight) end
  for _, limit in ipairs(wanted.limits) do
    if slots > 0 then
      local free, at = free_of(limit, slots)
      if free <= 0 then return 0, at end
      slots = math.min(slots, free)
    end
  end
  return slots, nil
end

-- The key of what goes out with an item; a job has nothing beside its record.
local function blob_key(kind, id, record)
  if kind == 'r' then return P .. 'b:' .. id end
  if kind == 'd' then return P .. 'c:' .. record[9] end
end

local function read_blobs(keys)
  if #keys == 0 then return {} end
  local blobs = call('MGET', unpack(keys))
  for i = 1, #keys do blobs[i] = blobs[i] or '' end
  return blobs
end

-- Takes up to `slots` of what is due. Returns their ids, {{fields…}…} and the blobs.
local function take(wanted, slots, routes_closed, due, leased)
  local kind, names, till = wanted.kind, FIELDS[wanted.kind], now + wanted.lease_ms
  local ids, records, blob_keys, leases, bytes = {}, {}, {}, {}, 0
  for _, id in ipairs(candidates(due, slots)) do
    local own = P .. kind .. ':' .. id
    local record = call('HMGET', own, unpack(names))
    local closed = kind == 'd' and routes_closed[record[4]]
    local alone = tonumber(record[1] or 0) >= ALONE_AFTER
    if not record[2] then
      call('ZREM', due, id)
    elseif closed then
      call('ZADD', due, closed, id)
    elseif not alone or #ids == 0 then
      bytes = bytes + (kind == 'r' and record[8] or 0)
      if #ids > 0 and bytes > MOST_BYTES then break end
      call('HSET', own, 'tok', wanted.token)
      for i = 1, #names do record[i] = record[i] or '' end
      local n = #ids + 1
      ids[n], records[n], blob_keys[n] = id, record, blob_key(kind, id, record)
      leases[2 * n - 1], leases[2 * n] = till, id
      if alone then break end
    end
  end
  if #ids > 0 then
    call('ZREM', due, unpack(ids))
    call('ZADD', leased, unpack(leases))
  end
  return ids, records, read_blobs(blob_keys)
end

-- Returns {wait_ms (-1: nothing to wait for), {buried…}, {id…}, {{fields…}…}, whether they are for one call} and the blobs.
local function claim(wanted)
  local queue = wanted.queue
  local due, leased = P .. 'due:' .. queue, P .. 'leased:' .. queue
  local buried = take_back_expired(wanted.kind, due, leased)
  local gate, routes_closed = read_gate(queue)
  if gate.paused then
    call('ZREM', P .. 'wake', queue)
    return {-1, buried, {}, {}, false}, {}
  end
  local slots, ask_at = slots_of(wanted, gate, leased)
  if slots <= 0 then
    -- With an hour to ask at, wake then; without one every slot is taken, and the settle of one will wake.
    local at = rewake(queue, ask_at or math.huge)
    return {at and ask_at and math.max(ask_at - now, 0) or -1, buried, {}, {}, false}, {}
  end
  -- A batch is one call, so it takes one slot and one grant. While it is out nothing else is: leases are counted one by one.
  local batched = wanted.batch > 1 and not gate['until'] and call('ZCOUNT', due, '-inf', now) >= wanted.batch_from
  local ids, records, blobs = take(wanted, batched and wanted.batch or slots, routes_closed, due, leased)
  if #ids > 0 then
    for _, limit in ipairs(wanted.limits) do grant(limit, batched and 1 or #ids) end
  end
  -- What is still due may be taken at once, or when the limits allow: the drainer asks again by itself.
  local at = rewake(queue, 0)
  return {at and math.max(at - now, 0) or -1, buried, ids, records, batched}, blobs
end
