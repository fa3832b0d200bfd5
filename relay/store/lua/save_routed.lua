#!lua flags=allow-oom
-- Writes what became of receipts: their events and deliveries. A receipt leaves the inbox with its last part; ids are
-- deterministic, so a repeated part changes nothing. Under a stale token nothing is written: the newer lease does it.
-- req: {token, receipts = {wire.RoutedRow…}}; blobs: bodies and contents, numbered in the rows.
-- Answers {{queues that have work now…}, {receipts of stale tokens…}}. No bell: the caller begins with these at once.
local INDEX, ID = 1, 1  -- places in a model.RoutedEvent and in a wire.DeliveryRow
local queues, left_inbox = {}, {}
local blobs = {}  -- bodies and contents, written with one command for all: {key, blob…}

local function add(list, name, value)
  local n = #list
  list[n + 1], list[n + 2] = name, value
end

-- Whether a `once` delivery is there already. One that was skipped had nobody to deliver to: a later event may take its
-- place, and then it is removed.
local function once_exists(id, event)
  local record = P .. 'd:' .. id
  local state, first_event, content = unpack(call('HMGET', record, 'state', 'ev', 'c'))
  if not state then return call('HEXISTS', P .. 'once:' .. string.sub(id, 1, 3), id) == 1 end
  if state ~= 'skipped' or first_event == event then return true end
  -- Its content may be shared: it is removed with the receipt that it came from.
  call('HSET', P .. 'r:' .. receipt_of(first_event), 'c:' .. content, '')
  call('DEL', record)
  return false
end

-- Makes a delivery. Returns whether it is open.
local function create(receipt, source, accepted_at, delivery)
  local id, event_id, sink, route, once, state, reason, content, queue = unpack(delivery)
  -- Sinks of one route and event share their content.
  local blob = ARGV[content + 1]
  local content_id = receipt.id .. ':' .. string.sub(redis.sha1hex(blob), 1, 12)
  add(blobs, P .. 'c:' .. content_id, blob)
  local fields = {'ev', event_id, 'src', source, 'route', route, 'sink', sink, 'acc', accepted_at, 'at', now,
    'att', 0, 'state', state, 'cfg', receipt.config, 'c', content_id}
  if once then add(fields, 'once', 1) end
  count('delivery|' .. sink .. '|created')
  if state ~= 'pending' then
    add(fields, 'reason', reason)
    add(fields, 'done', now)
    count_ended(id, sink, receipt.id, state)
  else
    if queue ~= 'sink:' .. sink then
      add(fields, 'q', queue)
      add(fields, 'reason', reason)
    end
    queues[queue] = queues[queue] or {}
    add(queues[queue], now, id)
    begin_pending(id, sink, accepted_at)
  end
  call('HSET', P .. 'd:' .. id, unpack(fields))
  return state == 'pending'
end

-- The fields that are read of a receipt: its lease and past, then of which of these events and deliveries it knows.
local BEFORE_EVENTS = 4
local function receipt_field_names(receipt)
  local names = {'tok', 'src', 'at', 'open'}
  for _, event in ipairs(receipt.events) do names[#names + 1] = 'e:' .. event[INDEX] end
  for _, delivery in ipairs(receipt.deliveries) do names[#names + 1] = 'd:' .. delivery[ID] end
  return names
end

local function save_events(receipt, source, accepted_at, names, values, receipt_fields)
  for i, event in ipairs(receipt.events) do
    local index, name, entity, entity_id, state, reason = unpack(event)
    add(receipt_fields, names[BEFORE_EVENTS + i], cjson.encode({name, entity, entity_id, state, reason}))
    if entity_id ~= '' then
      local of_entity = P .. 'events:' .. source .. ':' .. entity .. ':' .. entity_id
      call('ZADD', of_entity, accepted_at, receipt.id .. '.' .. index)
    end
    if not values[BEFORE_EVENTS + i] then count('event|' .. source .. '|' .. name) end
  end
end

-- Makes the deliveries that are not there yet. Returns how many of them are open.
local function save_deliveries(receipt, source, accepted_at, names, values, receipt_fields)
  local open, before, seen = 0, BEFORE_EVENTS + #receipt.events, {}
  for i, delivery in ipairs(receipt.deliveries) do
    local id, event_id, _, _, once = unpack(delivery)
    -- Two events of one receipt may have one `once` key: then the later one may take the place of a skipped one.
    local listed = values[before + i] or seen[id]
    local exists = listed
    if once then exists = once_exists(id, event_id) end
    if not (exists and listed) then add(receipt_fields, names[before + i], string.sub(event_id, #receipt.id + 2)) end
    seen[id] = true
    if not exists and create(receipt, source, accepted_at, delivery) then open = open + 1 end
  end
  return open
end

local function leave_inbox(receipt, source, accepted_at, receipt_fields)
  add(receipt_fields, 'state', receipt.state)
  add(receipt_fields, 'reason', receipt.reason)
  add(receipt_fields, 'cfg', receipt.config)
  if #receipt.remarks > 0 then add(receipt_fields, 'remarks', cjson.encode(receipt.remarks)) end
  if receipt.body > 0 then
    add(blobs, P .. 'b:' .. receipt.id, ARGV[receipt.body + 1])
    add(receipt_fields, 'z', 1)
  end
  -- Kept as long as a dead letter is.
  if receipt.state == 'quarantined' then call('HINCRBY', P .. 'r:' .. receipt.id, 'dead', 1) end
  if is_listed_by_state(receipt.state) then
    call('ZADD', P .. 'receipts:' .. receipt.state, accepted_at, receipt.id)
  end
  left_inbox[#left_inbox + 1] = receipt.id
  count('receipt|' .. source .. '|' .. receipt.state)
end

local function save(receipt, names, values)
  local _, source, accepted_at, open = unpack(values)
  local receipt_fields = {}
  save_events(receipt, source, accepted_at, names, values, receipt_fields)
  open = open + save_deliveries(receipt, source, accepted_at, names, values, receipt_fields)
  if receipt.last then
    leave_inbox(receipt, source, accepted_at, receipt_fields)
    open = open - 1
  end
  call('HSET', P .. 'r:' .. receipt.id, 'open', open, unpack(receipt_fields))
  if open <= 0 then finish_receipt(receipt.id) end
end

local ids, stale, with_work = {}, {}, {}
for i, receipt in ipairs(req.receipts) do ids[i] = receipt.id end
local leases = call('ZMSCORE', P .. 'leased:inbox', unpack(ids))
for i, receipt in ipairs(req.receipts) do
  local names = receipt_field_names(receipt)
  local values = leases[i] and call('HMGET', P .. 'r:' .. receipt.id, unpack(names))
  if values and values[1] == req.token then save(receipt, names, values) else stale[#stale + 1] = receipt.id end
end
if #blobs > 0 then call('MSET', unpack(blobs)) end
if #left_inbox > 0 then call('ZREM', P .. 'leased:inbox', unpack(left_inbox)) end
update_wake('inbox')
for queue, due in pairs(queues) do
  call('ZADD', P .. 'due:' .. queue, unpack(due))
  wake(queue, now)
  with_work[#with_work + 1] = queue
end
write_collected()
return cmsgpack.pack({with_work, stale})
