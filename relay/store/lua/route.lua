#!lua flags=allow-oom
-- Writes what became of receipts: their events and deliveries. A receipt leaves the inbox with its last part; ids are
-- deterministic, so a repeated part changes nothing. Under a stale token nothing is written: the newer lease does it.
-- req: {token, receipts = {{id, last, state, reason, config, body, events = {{n, name, entity, entity_id, state, reason}…},
--   deliveries = {{id, n, sink, route, once, state, reason, content, queue}…}}…}}; queue: where it waits first; body (0: keep) and content number the blobs.
-- Answers {{queues whose bell this call set…}, {stale receipts…}}.
local queues = {}

-- Whether this delivery is there already. One that was skipped had nobody to deliver to: a later event may take its place.
local function existing(id, once, event)
  local state, by, content = unpack(call('HMGET', P .. 'd:' .. id, 'state', 'ev', 'c'))
  if not state then return once and call('HEXISTS', P .. 'once:' .. string.sub(id, 1, 3), id) == 1 end
  if not once or state ~= 'skipped' or by == event then return true end
  -- Its content may be shared: it goes with the receipt that it came from.
  call('HSET', P .. 'r:' .. receipt_of(by), 'c:' .. content, '')
  return false
end

local function create(receipt, source, accepted, delivery)
  local id, n, sink, route, once, state, reason, content, queue = unpack(delivery)
  local event, record, own = receipt.id .. '.' .. n, P .. 'r:' .. receipt.id, P .. 'd:' .. id
  if existing(id, once, event) then
    call('HSETNX', record, 'd:' .. id, n)
    return
  end
  -- Sinks of one route and event share their content.
  local blob = ARGV[content + 1]
  local content_id = receipt.id .. ':' .. string.sub(redis.sha1hex(blob), 1, 12)
  call('SET', P .. 'c:' .. content_id, blob)
  call('DEL', own)
  call('HSET', own, 'ev', event, 'src', source, 'route', route, 'sink', sink, 'acc', accepted, 'at', now, 'att', 0,
    'state', state, 'cfg', receipt.config, 'c', content_id)
  if once then call('HSET', own, 'once', 1) end
  call('HSET', record, 'd:' .. id, n)
  call('HINCRBY', record, 'open', 1)
  count('delivery|' .. sink .. '|created')
  if state == 'pending' then
    if queue ~= 'sink:' .. sink then call('HSET', own, 'q', queue, 'reason', reason) end
    call('ZADD', P .. 'due:' .. queue, now, id)
    queues[queue] = true
  else
    call('HSET', own, 'reason', reason, 'done', now)
    delivery_closed(id, sink, event, state)
  end
end

local function index(receipt, source)
  for _, event in ipairs(receipt.events) do
    local n, name, entity, entity_id = unpack(event)
    local added = call('HSET', P .. 'r:' .. receipt.id, 'e:' .. n, cjson.encode({name, entity, entity_id, event[5], event[6]}))
    if entity_id ~= '' then call('SADD', P .. 'of:' .. source .. ':' .. entity .. ':' .. entity_id, receipt.id .. '.' .. n) end
    if added == 1 then count('event|' .. source .. '|' .. name) end
  end
end

local function leave_inbox(receipt, source)
  call('HSET', P .. 'r:' .. receipt.id, 'state', receipt.state, 'reason', receipt.reason, 'cfg', receipt.config)
  if receipt.body > 0 then
    call('SET', P .. 'b:' .. receipt.id, ARGV[receipt.body + 1])
    call('HSET', P .. 'r:' .. receipt.id, 'z', 1)
  end
  -- Kept as long as a dead letter is.
  if receipt.state == 'quarantined' then call('HINCRBY', P .. 'r:' .. receipt.id, 'dead', 1) end
  call('ZREM', P .. 'leased:inbox', receipt.id)
  count('receipt|' .. source .. '|' .. receipt.state)
  close_one_of(receipt.id)
end

local stale = {}
for _, receipt in ipairs(req.receipts) do
  local token, source, accepted = unpack(call('HMGET', P .. 'r:' .. receipt.id, 'tok', 'src', 'at'))
  if token == req.token and call('ZSCORE', P .. 'leased:inbox', receipt.id) then
    index(receipt, source)
    for _, delivery in ipairs(receipt.deliveries) do create(receipt, source, accepted, delivery) end
    if receipt.last then leave_inbox(receipt, source) end
  else
    stale[#stale + 1] = receipt.id
  end
end
rewake('inbox')
local rung = {}
for queue in pairs(queues) do
  if wake(queue, now) then rung[#rung + 1] = queue end
end
write_counts()
return cmsgpack.pack({rung, stale})
