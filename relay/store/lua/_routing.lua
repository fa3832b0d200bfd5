-- What becomes of receipts: the events and deliveries that are not there yet are made. Ids are deterministic, so a
-- repeated part changes nothing.
local INDEX, ID = 1, 1  -- places in a model.RoutedEvent and in a routing.DeliveryRow
local queues = {}  -- that have work now, each with what is due: {time, id…}
local blobs = {}  -- bodies and contents, written with one command for all: {key, blob…}
local keyed_made = {}  -- deliveries with a key of `order` or `latest`, as `place_keyed` takes them
local records = {}  -- of the deliveries that are made, with what is due of them: id -> {field, value…}

-- How many more deliveries each sink may have pending. What is over that is put off: its hook alone is kept, and the
-- delivery made when there is room (make_put_off.lua). So one sink that takes nothing does not fill the store. What asks a
-- sink to forget somebody is never put off: no hook says it again.
local room = {}
local NEVER_PUT_OFF = 'erasure'  -- in place of the name of a route

local function has_room(sink)
  if not room[sink] then
    local most = call('HGET', P .. 'max_pending', sink)
    room[sink] = most and most - call('ZCARD', P .. 'pending:' .. sink) or math.huge
  end
  return room[sink] > 0
end

-- Remembers a delivery that is to be made when its sink has room. Returns whether it was not put off already.
local function put_off(receipt, accepted_at, delivery)
  local id, event_id, sink, route = unpack(delivery)
  if call('HSETNX', P .. 'r:' .. receipt.id, 'p:' .. id, sink) == 0 then return false end
  call('ZADD', P .. 'put_off:' .. sink, accepted_at, id .. '|' .. event_id .. '|' .. route)
  count('delivery|' .. sink .. '|put off')
  enqueue_job('put-off', 'put-off', '{}', now)
  if call('ZADD', P .. 'due:jobs', 'XX', 'LT', 'CH', now, 'put-off') == 1 then wake('jobs', now) end
  return true
end

local function add(list, name, value)
  local n = #list
  list[n + 1], list[n + 2] = name, value
end

local function add_due(queue, id)
  queues[queue] = queues[queue] or {}
  add(queues[queue], now, id)
end

-- Writes the record of a delivery that this script made.
local function write_record(id)
  call('HSET', P .. 'd:' .. id, unpack(records[id]))
  records[id] = nil
end

-- Whether a `once` delivery is there already. One that was skipped had nobody to deliver to: a later event may take its
-- place, and then it is removed.
local function once_exists(id, event)
  if records[id] then write_record(id) end
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
  local id, event_id, sink, route, once, state, reason, content, queue, keyed = unpack(delivery)
  -- Sinks of one route and event share their content.
  local blob = ARGV[content + 1]
  local content_id = receipt.id .. ':' .. string.sub(redis.sha1hex(blob), 1, 12)
  add(blobs, P .. 'c:' .. content_id, blob)
  local delivery_fields = {'ev', event_id, 'src', source, 'route', route, 'sink', sink, 'acc', accepted_at, 'at', now,
    'att', 0, 'state', state, 'cfg', receipt.config, 'c', content_id, 'size', #blob}
  if once then add(delivery_fields, 'once', 1) end
  if receipt.trace and receipt.trace ~= '' then add(delivery_fields, 'trace', receipt.trace) end
  count('delivery|' .. sink .. '|created')
  count('route|' .. route .. '|' .. state)
  if state ~= 'pending' then
    add(delivery_fields, 'reason', reason)
    add(delivery_fields, 'done', now)
    count_ended(id, sink, receipt.id, state, reason)
  else
    if queue ~= 'sink:' .. sink then
      add(delivery_fields, 'q', queue)
      add(delivery_fields, 'reason', reason)
    end
    if keyed ~= '' then
      add(delivery_fields, 'keyed', keyed)
      keyed_made[#keyed_made + 1] = {id = id, event = event_id, sink = sink, queue = queue, keyed = keyed,
        at = tonumber(accepted_at), member = member_of(event_id, id)}
    else
      add_due(queue, id)
    end
    if room[sink] then room[sink] = room[sink] - 1 end
    begin_pending(id, sink, accepted_at)
  end
  records[id] = delivery_fields
  return state == 'pending'
end

-- The fields that are read of a receipt: its lease and past, then of which of these events and deliveries it knows.
local BEFORE_EVENTS = 5
local function receipt_field_names(receipt)
  local names = {'tok', 'src', 'at', 'open', 'died'}
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
    if not values[BEFORE_EVENTS + i] then count('event|' .. source .. '|' .. receipt.counted[i]) end
  end
end

-- Makes the deliveries that are not there yet, or puts them off. Returns how many are open now, and which were made.
local function save_deliveries(receipt, source, accepted_at, names, values, receipt_fields)
  local open, made, before, seen = 0, {}, BEFORE_EVENTS + #receipt.events, {}
  for i, delivery in ipairs(receipt.deliveries) do
    local id, event_id, sink, route, once, state = unpack(delivery)
    -- Two events of one receipt may have one `once` key: then the later one may take the place of a skipped one.
    local listed = values[before + i] or seen[id]
    local exists = listed
    if once then exists = once_exists(id, event_id) end
    if not (exists and listed) then add(receipt_fields, names[before + i], string.sub(event_id, #receipt.id + 2)) end
    seen[id] = true
    if not exists and state == 'pending' and route ~= NEVER_PUT_OFF and not has_room(sink) then
      if put_off(receipt, accepted_at, delivery) then open = open + 1 end
    elseif not exists then
      made[#made + 1] = id
      if create(receipt, source, accepted_at, delivery) then open = open + 1 end
    end
  end
  return open, made
end

-- Adds what the whole receipt came to, with its last part.
local function add_end(receipt, receipt_fields)
  add(receipt_fields, 'state', receipt.state)
  add(receipt_fields, 'reason', receipt.reason)
  add(receipt_fields, 'cfg', receipt.config)
  if #receipt.remarks > 0 then add(receipt_fields, 'remarks', cjson.encode(receipt.remarks)) end
  if receipt.body > 0 then
    add(blobs, P .. 'b:' .. receipt.id, ARGV[receipt.body + 1])
    add(receipt_fields, 'z', 1)
  end
end

-- Saves a part of a receipt, all but its hash. Returns the fields of that, how many of its deliveries are open now, and
-- which were made.
local function save_part(receipt, names, values)
  local _, source, accepted_at = unpack(values)
  local receipt_fields = {}
  save_events(receipt, source, accepted_at, names, values, receipt_fields)
  local open, made = save_deliveries(receipt, source, accepted_at, names, values, receipt_fields)
  if receipt.last then add_end(receipt, receipt_fields) end
  return receipt_fields, open, made
end

-- Lists and counts a receipt by the state that it is in now.
local function list_by_state(receipt, source, accepted_at)
  -- Kept as long as a dead letter is.
  if receipt.state == 'quarantined' then call('HINCRBY', P .. 'r:' .. receipt.id, 'dead', 1) end
  if is_listed_by_state(receipt.state) then
    call('ZADD', P .. 'receipts:' .. receipt.state, accepted_at, receipt.id)
  end
  count('receipt|' .. source .. '|' .. receipt.state)
end

-- Cancels a delivery that waits, for a newer one of its `latest` key. What is in flight, or may have arrived, stays.
-- Returns whether it is to stay in the set of its key.
local function supersede(id, reason)
  local record = P .. 'd:' .. id
  local fields = call('HMGET', record, 'state', 'sink', 'ev', 'q', 'send', 'keyed')
  local state, sink, event, queue, sent_at, keyed = unpack(fields)
  if state ~= 'pending' or sent_at then return state == 'pending' or state == 'held' end
  if call('ZREM', P .. 'due:' .. (queue or 'sink:' .. sink), id) == 0
    and call('ZREM', P .. 'ordered:' .. sink, id) == 0 then return true end
  call('HSET', record, 'state', 'cancelled', 'reason', reason, 'done', now)
  end_delivery(id, sink, event, 'cancelled', keyed)
  if room[sink] then room[sink] = room[sink] + 1 end
  return false
end

-- Lists a delivery that was made by its `latest` key, and cancels the older ones; or it, where a newer one is there.
-- Returns whether it is cancelled.
local function keep_latest(one)
  local of_key = latest_of(one.sink, one.keyed)
  if not of_key then return false end
  local found = call('ZRANGE', of_key, 0, -1, 'WITHSCORES')
  local newest, newest_at = found[#found - 1], tonumber(found[#found])
  if newest and arrived_before(one.at, one.member, newest_at, newest) then
    local reason = 'superseded by ' .. id_of_member(newest)
    call('HSET', P .. 'd:' .. one.id, 'state', 'cancelled', 'reason', reason, 'done', now)
    end_delivery(one.id, one.sink, one.event, 'cancelled')
    return true
  end
  for i = 1, #found, 2 do
    if not supersede(id_of_member(found[i]), 'superseded by ' .. one.id) then call('ZREM', of_key, found[i]) end
  end
  call('ZADD', of_key, one.at, one.member)
  call('PERSIST', of_key)
  return false
end

-- Decides what becomes of the deliveries with keys that were made: the newest of a `latest` key first, and the first of
-- an `order` key before those that are to wait for it.
local function place_keyed()
  table.sort(keyed_made, function(one, other) return arrived_before(one.at, one.member, other.at, other.member) end)
  for i = #keyed_made, 1, -1 do
    if records[keyed_made[i].id] then write_record(keyed_made[i].id) end
    keyed_made[i].cancelled = keep_latest(keyed_made[i])
  end
  for _, one in ipairs(keyed_made) do
    local waits = not one.cancelled
    if waits and take_turn(one.id, one.sink, one.event, one.keyed, now) then add_due(one.queue, one.id) end
  end
  keyed_made = {}
end

-- Writes the deliveries that were made, and what is due in its queues. Returns the queues that have work now.
local function write_queues()
  place_keyed()
  if #blobs > 0 then call('MSET', unpack(blobs)) end
  for id in pairs(records) do write_record(id) end
  local with_work = {}
  for queue, due in pairs(queues) do
    call('ZADD', P .. 'due:' .. queue, unpack(due))
    wake(queue, now)
    with_work[#with_work + 1] = queue
  end
  return with_work
end
