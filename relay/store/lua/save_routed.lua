#!lua flags=allow-oom
-- Writes what became of receipts: their events and deliveries. A receipt leaves the inbox with its last part; ids are
-- deterministic, so a repeated part changes nothing. Under a stale token nothing is written: the newer lease does it.
-- req: {token, receipts = {{id, last, state, reason, config, body, events = {{n, name, entity, entity_id, state, reason}…},
--   deliveries = {{id, event, sink, route, once, state, reason, content, queue}…}}…}}; queue: where it waits first; body (0: keep) and content number the blobs.
-- Answers {{queues that have work now…}, {stale receipts…}}. No bell: who routes begins with them at once.
local queues, gone = {}, {}
local blobs = {}  -- bodies and contents, written with one command for all: {key, blob…}

local function add(list, name, value)
  local n = #list
  list[n + 1], list[n + 2] = name, value
end

-- Whether a `once` delivery is there already. One that was skipped had nobody to deliver to: a later event may take its place.
local function once_exists(id, event)
  local own = P .. 'd:' .. id
  local state, by, content = unpack(call('HMGET', own, 'state', 'ev', 'c'))
  if not state then return call('HEXISTS', P .. 'once:' .. string.sub(id, 1, 3), id) == 1 end
  if state ~= 'skipped' or by == event then return true end
  -- Its content may be shared: it goes with the receipt that it came from.
  call('HSET', P .. 'r:' .. receipt_of(by), 'c:' .. content, '')
  call('DEL', own)
  return false
end

-- Makes a delivery. Returns whether it is open.
local function create(receipt, source, accepted, delivery)
  local id, event, sink, route, once, state, reason, content, queue = unpack(delivery)
  -- Sinks of one route and event share their content.
  local blob = ARGV[content + 1]
  local content_id = receipt.id .. ':' .. string.sub(redis.sha1hex(blob), 1, 12)
  add(blobs, P .. 'c:' .. content_id, blob)
  local fields = {'ev', event, 'src', source, 'route', route, 'sink', sink, 'acc', accepted, 'at', now,
    'att', 0, 'state', state, 'cfg', receipt.config, 'c', content_id}
  if once then add(fields, 'once', 1) end
  count('delivery|' .. sink .. '|created')
  if state ~= 'pending' then
    add(fields, 'reason', reason)
    add(fields, 'done', now)
    note_end(id, sink, receipt.id, state)
  else
    if queue ~= 'sink:' .. sink then
      add(fields, 'q', queue)
      add(fields, 'reason', reason)
    end
    queues[queue] = queues[queue] or {}
    add(queues[queue], now, id)
  end
  call('HSET', P .. 'd:' .. id, unpack(fields))
  return state == 'pending'
end

-- What one read asks of a receipt's record: its lease and past, then which of these events and deliveries it has already.
local function names_of(receipt)
  local names = {'tok', 'src', 'at', 'open'}
  for _, event in ipairs(receipt.events) do names[#names + 1] = 'e:' .. event[1] end
  for _, delivery in ipairs(receipt.deliveries) do names[#names + 1] = 'd:' .. delivery[1] end
  return names
end

local function list_events(receipt, source, names, known, fields)
  for i, event in ipairs(receipt.events) do
    local n, name, entity, entity_id, state, reason = unpack(event)
    add(fields, names[4 + i], cjson.encode({name, entity, entity_id, state, reason}))
    if entity_id ~= '' then call('SADD', P .. 'of:' .. source .. ':' .. entity .. ':' .. entity_id, receipt.id .. '.' .. n) end
    if not known[4 + i] then count('event|' .. source .. '|' .. name) end
  end
end

-- Makes the deliveries that are not there yet. Returns how many of them are open.
local function create_new(receipt, source, accepted, names, known, fields)
  local open, first, seen = 0, 4 + #receipt.events, {}
  for i, delivery in ipairs(receipt.deliveries) do
    local id, event, once = delivery[1], delivery[2], delivery[5]
    -- Two events of one receipt may have one `once` key: then the later one may take the place of a skipped one.
    local listed = known[first + i] or seen[id]
    local exists = listed
    if once then exists = once_exists(id, event) end
    if not (exists and listed) then add(fields, names[first + i], string.sub(event, #receipt.id + 2)) end
    seen[id] = true
    if not exists and create(receipt, source, accepted, delivery) then open = open + 1 end
  end
  return open
end

local function leave_inbox(receipt, source, fields)
  add(fields, 'state', receipt.state)
  add(fields, 'reason', receipt.reason)
  add(fields, 'cfg', receipt.config)
  if receipt.body > 0 then
    add(blobs, P .. 'b:' .. receipt.id, ARGV[receipt.body + 1])
    add(fields, 'z', 1)
  end
  -- Kept as long as a dead letter is.
  if receipt.state == 'quarantined' then call('HINCRBY', P .. 'r:' .. receipt.id, 'dead', 1) end
  gone[#gone + 1] = receipt.id
  count('receipt|' .. source .. '|' .. receipt.state)
end

local function route(receipt, names, known)
  local _, source, accepted, open = unpack(known)
  local fields = {}
  list_events(receipt, source, names, known, fields)
  open = open + create_new(receipt, source, accepted, names, known, fields)
  if receipt.last then
    leave_inbox(receipt, source, fields)
    open = open - 1
  end
  call('HSET', P .. 'r:' .. receipt.id, 'open', open, unpack(fields))
  if open <= 0 then finish_receipt(receipt.id) end
end

local ids, stale, begun = {}, {}, {}
for i, receipt in ipairs(req.receipts) do ids[i] = receipt.id end
local leases = call('ZMSCORE', P .. 'leased:inbox', unpack(ids))
for i, receipt in ipairs(req.receipts) do
  local names = names_of(receipt)
  local known = leases[i] and call('HMGET', P .. 'r:' .. receipt.id, unpack(names))
  if known and known[1] == req.token then route(receipt, names, known) else stale[#stale + 1] = receipt.id end
end
if #blobs > 0 then call('MSET', unpack(blobs)) end
if #gone > 0 then call('ZREM', P .. 'leased:inbox', unpack(gone)) end
rewake('inbox')
for queue, waiting in pairs(queues) do
  call('ZADD', P .. 'due:' .. queue, unpack(waiting))
  wake(queue, now)
  begun[#begun + 1] = queue
end
write_collected()
return cmsgpack.pack({begun, stale})
