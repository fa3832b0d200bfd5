#!lua flags=no-writes
-- Looks through sorted sets for what a list shows, until it has found enough or has spent what one call may spend.
-- req: lists.FindRequest. Answers a lists.FindReply.
local NAME, STATE, REASON = 1, 4, 5  -- places in an event: {name, entity, entity id, state, reason}

-- The states that an event may be in. In another one a receipt is listed itself, beside the events that it may have.
local OF_EVENTS = {routed = true, unrouted = true, refused = true}

local function matches(wanted, value) return wanted == '' or wanted == value end

local function has_reason(reason) return req.reason == '' or string.find(reason or '', req.reason, 1, true) end

-- Adds the events of some indexes of a receipt, in order. Returns whether all of them are there.
local function add_events(events, packed)
  for i = 1, #packed do
    if not packed[i] then return false end
    events[#events + 1] = cjson.decode(packed[i])
  end
  return true
end

-- Returns the source, the state, the events and the reason of a receipt; nil where it is gone.
local function read_receipt(receipt)
  local record = P .. 'r:' .. receipt
  local source, state, reason, first, second =
    unpack(call('HMGET', record, 'src', 'state', 'reason', 'e:' .. 0, 'e:' .. 1))
  local packed = not source and find_packed(receipt)
  if packed then return packed.source, packed.state, packed.events, packed.reason end
  local events = {}
  local all_there = add_events(events, {first, second})  -- most receipts have one
  while all_there do
    local names = {}
    for i = 1, 100 do names[i] = 'e:' .. (#events + i - 1) end
    all_there = add_events(events, call('HMGET', record, unpack(names)))
  end
  return source, state, events, reason
end

-- Returns the deliveries that a receipt lists: {index of the event, id, whether it is put off}, in order.
local function read_deliveries(receipt)
  local listed, put_off, flat = {}, {}, call('HGETALL', P .. 'r:' .. receipt)
  for i = 1, #flat, 2 do
    local kind, id = string.match(flat[i], '^([dp]):(.*)$')
    if kind == 'd' then listed[#listed + 1] = {tonumber(flat[i + 1]), id} end
    if kind == 'p' then put_off[id] = true end
  end
  for _, row in ipairs(listed) do row[3] = put_off[row[2]] end
  local packed = #flat == 0 and find_packed(receipt)
  for _, list in ipairs(packed and {packed.deliveries, packed.others} or {}) do
    for _, row in ipairs(list) do
      local index, id = unpack(row)
      listed[#listed + 1] = {index, id}
    end
  end
  table.sort(listed, function(a, b)
    if a[1] ~= b[1] then return a[1] < b[1] end
    return is_less(a[2], b[2])
  end)
  return listed
end

-- Returns of a delivery its event, source, sink, state, when its receipt arrived, route and reason; nil where it is gone.
local function read_made(id)
  local values = call('HMGET', P .. 'd:' .. id, 'ev', 'src', 'sink', 'state', 'acc', 'route', 'reason')
  if values[1] then return unpack(values, 1, 7) end
  return read_packed_delivery(id)
end

-- Likewise of one that a receipt lists, which may be put off: then also how its sink's set calls it.
local function read_listed(receipt, id, is_put_off)
  if is_put_off then return read_put_off(receipt, id) end
  return read_made(id)
end

-- Returns the name of an event; nil where it is gone.
local function read_event_name(receipt, index)
  local event = call('HGET', P .. 'r:' .. receipt, 'e:' .. index)
  if event then return cjson.decode(event)[NAME] end
  local packed = find_packed(receipt)
  return packed and packed.events[index + 1][NAME]
end

local function is_recovered(receipt)
  if call('HGET', P .. 'r:' .. receipt, 'rec') then return true end
  local packed = find_packed(receipt)
  return packed and packed.recovered
end

-- Returns which events of a receipt have a delivery of the route to the sink.
local function indexes_with_delivery(receipt)
  local found = {}
  for _, delivery in ipairs(read_deliveries(receipt)) do
    local index, id, is_put_off = unpack(delivery, 1, 3)
    if not found[index] then
      local _, _, sink, _, _, route = read_listed(receipt, id, is_put_off)
      found[index] = matches(req.sink, sink) and matches(req.route, route)
    end
  end
  return found
end

local function event_matches(event)
  return matches(req.event, event[NAME]) and matches(req.state, event[STATE]) and has_reason(event[REASON])
end

-- Returns the ids of the events of a receipt that are to be listed, or only of that of an index.
local function find_events(receipt, only_index)
  if req.recovered and not is_recovered(receipt) then return {} end
  local found, source, state, events, reason = {}, read_receipt(receipt)
  if not source or not matches(req.source, source) then return found end
  local by_delivery = req.sink ~= '' or req.route ~= ''
  local wanted = by_delivery and #events > 0 and indexes_with_delivery(receipt)
  for i, event in ipairs(events) do
    local index = i - 1
    if (not only_index or only_index == index) and event_matches(event) and (not wanted or wanted[index]) then
      found[#found + 1] = receipt .. '.' .. index
    end
  end
  local is_listed_itself = not only_index and (#events == 0 or not OF_EVENTS[state])
  if is_listed_itself and req.event == '' and not by_delivery and matches(req.state, state) and has_reason(reason) then
    found[#found + 1] = receipt
  end
  return found
end

-- Whether a delivery, of which `read_made` or `read_listed` has read this, is to be listed.
local function delivery_matches(event, source, sink, state, arrived, route, reason)
  if not event then return false end
  if not (matches(req.source, source) and matches(req.sink, sink) and matches(req.state, state)) then return false end
  if not (matches(req.route, route) and has_reason(reason)) then return false end
  if req.since and tonumber(arrived) < req.since or req.before and tonumber(arrived) > req.before then return false end
  if req.event == '' then return true end
  local receipt, index = string.match(event, '^([^.]*)%.(.*)$')
  return read_event_name(receipt, tonumber(index)) == req.event
end

-- Returns the deliveries of a receipt that are to be listed, or only those of the event of an index: its own, and not one
-- that it only refers to by a `once` key. One that is put off is called as its sink's set calls it.
local function find_deliveries(receipt, only_index)
  local found = {}
  for _, delivery in ipairs(read_deliveries(receipt)) do
    local index, id, is_put_off = unpack(delivery, 1, 3)
    local values = (not only_index or only_index == index) and {read_listed(receipt, id, is_put_off)} or {}
    if values[1] == receipt .. '.' .. index and delivery_matches(unpack(values, 1, 7)) then
      found[#found + 1] = values[8] or id
    end
  end
  return found
end

local function find_in(member)
  if req.members == 'deliveries' then return delivery_matches(read_made(member)) and {member} or {} end
  if req.members == 'put-off' then
    local id, receipt = string.match(member, '^([^|]*)|([^|.]*)')
    return delivery_matches(read_put_off(receipt, id)) and {member} or {}
  end
  local find = req.kind == 'events' and find_events or find_deliveries
  if req.members == 'receipts' then return find(member) end
  local receipt, index = string.match(member, '^([^.]*)%.(.*)$')
  return find(receipt, tonumber(index))
end

-- lists.FindReply
local function find_reply(ids, looked, cursor) return {ids, looked, cursor} end

local next_row_of_all = open_walk({keys = req.keys, after = req.after, highest = req.highest, lowest = req.lowest})
local found, looked = {}, 0
local cursor  -- {score, member, how many of its events or deliveries are taken}; nil: there is no more
local row = next_row_of_all()
while row do
  local score, member, taken = row.score, row.member, 0
  local place = req.members == 'put-off' and string.match(member, '^[^|]*') or member
  if req.after and member == req.after[2] then taken = req.after[3] end
  local matching = find_in(member)
  while taken < #matching and #found < req.limit do
    taken = taken + 1
    found[#found + 1] = matching[taken]
  end
  if taken < #matching then
    cursor = {score, place, taken}
    break
  end
  looked = looked + 1
  if #found == req.limit or spent >= req.most then
    if next_row_of_all(true) then cursor = {score, place, 0} end
    break
  end
  row = next_row_of_all()
end
return cmsgpack.pack(find_reply(found, looked, cursor))
