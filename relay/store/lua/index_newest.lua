#!lua flags=allow-oom
-- Writes, for every source, event, route and sink and every state of events, which receipts have it: the newest `kept` of
-- each. It goes on behind the last receipt in the index, from the oldest on, and stops before one that is not routed yet;
-- then come those that were routed anew since. What retention has removed goes little by little.
-- req: {most: commands in this call, kept, until: arrivals, known = {names of events: bodies may have any number of others},
-- other: under what these stand}. Answers whether there is more to do.
local REROUTED_AT_ONCE, SWEPT_AT_ONCE = 20, 10
local known = {}
for _, name in ipairs(req.known) do known[name] = true end
local lists = {}  -- what a receipt has, such as "event:add_lead" -> {arrival, receipt…}

local function note(seen, accepted_at, receipt, kind, value)
  local name = kind .. ':' .. value
  if seen[name] then return end
  seen[name] = true
  local list = lists[name] or {}
  lists[name] = list
  list[#list + 1] = accepted_at
  list[#list + 1] = receipt
end

local function note_event(seen, accepted_at, receipt, event)
  local name, _, _, state = unpack(event)
  note(seen, accepted_at, receipt, 'event', known[name] and name or req.other)
  note(seen, accepted_at, receipt, 'state', state)
end

local function note_delivery(seen, accepted_at, receipt, id)
  local sink, route, _ = unpack(call('HMGET', P .. 'd:' .. id, 'sink', 'route'))
  if not sink then _, _, sink, _, _, route = read_packed_delivery(id) end
  if sink then note(seen, accepted_at, receipt, 'sink', sink) end
  if route then note(seen, accepted_at, receipt, 'route', route) end
end

local function note_put_off(seen, accepted_at, receipt, id)
  local _, _, sink, _, _, route = read_put_off(receipt, id)
  if not sink then return end
  note(seen, accepted_at, receipt, 'sink', sink)
  note(seen, accepted_at, receipt, 'route', route)
end

local function note_packed(receipt)
  local packed, seen = find_packed(receipt), {}
  if not packed then return end
  for _, event in ipairs(packed.events) do note_event(seen, packed.accepted_at, receipt, event) end
  for _, list in ipairs({packed.deliveries, packed.others}) do
    for _, row in ipairs(list) do note_delivery(seen, packed.accepted_at, receipt, row[2]) end
  end
  note(seen, packed.accepted_at, receipt, 'source', packed.source)
  note(seen, packed.accepted_at, receipt, 'state', packed.state)
  if packed.recovered then note(seen, packed.accepted_at, receipt, 'recovered', 'yes') end
end

-- Notes all that a receipt has. Returns false where it is still to be routed; one that is gone has nothing.
local function note_receipt(receipt)
  local flat = call('HGETALL', P .. 'r:' .. receipt)
  local record, seen = {}, {}
  for i = 1, #flat, 2 do record[flat[i]] = flat[i + 1] end
  if record.state == 'accepted' then return false end
  if not record.state then note_packed(receipt) end
  for field, value in pairs(record) do
    local kind, id = string.match(field, '^([dep]):(.*)$')
    if kind == 'e' then
      note_event(seen, record.at, receipt, cjson.decode(value))
    elseif kind == 'd' then
      note_delivery(seen, record.at, receipt, id)
    elseif kind == 'p' then
      note_put_off(seen, record.at, receipt, id)
    end
  end
  if record.src then
    note(seen, record.at, receipt, 'source', record.src)
    note(seen, record.at, receipt, 'state', record.state)
  end
  if record.rec then note(seen, record.at, receipt, 'recovered', 'yes') end
  return true
end

-- The last receipt in the index; under another `kept` it is made anew.
local function read_reach()
  local score, member, kept = unpack(call('HMGET', P .. 'newest', 'score', 'member', 'kept'))
  if tonumber(kept) ~= req.kept then return 0, '' end
  return tonumber(score), member
end

-- Notes the receipts behind the last one, as far as this call may go. Returns whether there are more.
local function go_on(score, member)
  local start = call('ZRANK', P .. 'receipts', member)
  start = start and start + 1 or call('ZCOUNT', P .. 'receipts', '-inf', '(' .. score)
  local rows = call('ZRANGE', P .. 'receipts', start, start + MOST_READ_AT_ONCE - 1, 'WITHSCORES')
  local reached
  for i = 1, #rows, 2 do
    local receipt, accepted_at = rows[i], tonumber(rows[i + 1])
    if accepted_at > req['until'] or not note_receipt(receipt) then return false, reached end
    reached = {accepted_at, receipt}
    if spent >= req.most then return true, reached end
  end
  return #rows == 2 * MOST_READ_AT_ONCE, reached
end

local function write_lists()
  for name, list in pairs(lists) do
    call('ZADD', P .. 'newest:' .. name, unpack(list))
    call('ZREMRANGEBYRANK', P .. 'newest:' .. name, 0, -req.kept - 1)
    call('SADD', P .. 'newest_values', name)
  end
end

-- Removes what is older than every receipt there is from some of the lists. No list is ever shortened elsewhere: of one that
-- has fewer than `kept` it is known that nothing is missing.
local function sweep()
  local oldest = first_score(P .. 'receipts') or math.huge
  for _, name in ipairs(call('SRANDMEMBER', P .. 'newest_values', SWEPT_AT_ONCE)) do
    call('ZREMRANGEBYSCORE', P .. 'newest:' .. name, '-inf', '(' .. oldest)
    if call('EXISTS', P .. 'newest:' .. name) == 0 then call('SREM', P .. 'newest_values', name) end
  end
end

local score, member = read_reach()
local more, reached = go_on(score, member)
if reached then score, member = unpack(reached) end
local rerouted = call('LRANGE', P .. 'rerouted', 0, REROUTED_AT_ONCE - 1)
local noted = 0
while noted < #rerouted and (noted == 0 or spent < req.most) do
  noted = noted + 1
  note_receipt(rerouted[noted])
end
if noted > 0 then call('LTRIM', P .. 'rerouted', noted, -1) end
write_lists()
sweep()
call('HSET', P .. 'newest', 'score', score, 'member', member, 'kept', req.kept)
return (more or noted < #rerouted or #rerouted == REROUTED_AT_ONCE) and 1 or 0
