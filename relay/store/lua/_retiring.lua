-- Removes finished receipts with all that belongs to them. A script that uses it has in its request `most`, what it may
-- spend, and `duplicate_ms`.
local FIELDS_AT_ONCE = 100
local PACKED = P .. 'finished:packed'
local LOOK_AGAIN_MS = 3600000

-- What the script has spent: it ends a while after `most`.
local spent = 0
local uncounted_call = call
local function call(...)
  spent = spent + 1
  return uncounted_call(...)
end

-- Its content may be shared with others of its receipt, so it is only listed, and goes with the receipt.
local function remove_delivery(receipt, id)
  local record = P .. 'd:' .. id
  local event, sink, state, once, content = unpack(call('HMGET', record, 'ev', 'sink', 'state', 'once', 'c'))
  -- A `once` delivery that this receipt only refers to belongs to another.
  if not event or receipt_of(event) ~= receipt then return end
  if once and state ~= 'skipped' then call('HSET', P .. 'once:' .. string.sub(id, 1, 3), id, state) end
  if content then call('HSET', P .. 'r:' .. receipt, 'c:' .. content, '') end
  if state == 'dead' then
    call('ZREM', P .. 'dead:' .. sink, id)
    leave_failed(id, sink)
    count('delivery|' .. sink .. '|expired')
    spent = spent + 5
  end
  call('UNLINK', record, P .. 'a:' .. id)
end

local function remove_event(receipt, source, index, event)
  local _, entity, entity_id = unpack(event)
  local of_entity = source .. ':' .. entity .. ':' .. entity_id
  -- The release before this one (commit b42e45f) listed it there. Goes with the next release, as adopt.lua does.
  if call('ZREM', P .. 'events:' .. of_entity, receipt .. '.' .. index) == 0 then
    call('SREM', P .. 'of:' .. of_entity, receipt .. '.' .. index)
  end
end

-- `person`: a hash of somebody whom an event speaks of, and the event's index.
local function remove_person(receipt, person)
  local hash, index = string.match(person, '^(.*):(.*)$')
  call('ZREM', P .. 'people:' .. hash, receipt .. '.' .. index)
end

-- Removes what some fields of a receipt speak of. Returns whether all of it is gone, and whether all could be read.
local function remove_parts(receipt, source, kinds)
  local record, cursor, readable = P .. 'r:' .. receipt, '0', true
  repeat
    local page = call('HSCAN', record, cursor, 'COUNT', FIELDS_AT_ONCE)
    cursor = page[1]
    for i = 1, #page[2], 2 do
      local name, value = page[2][i], page[2][i + 1]
      local kind, id = string.match(name, '^(%l):(.*)$')
      if kind and kinds[kind] then
        if spent >= req.most then return false, readable end
        local ok = true
        if kind == 'd' then ok = pcall(remove_delivery, receipt, id) end
        if kind == 'e' then ok = pcall(function() remove_event(receipt, source, id, cjson.decode(value)) end) end
        if kind == 'w' then ok = pcall(remove_person, receipt, id) end
        if kind == 'c' then call('UNLINK', P .. 'c:' .. id) end  -- of a delivery, or of one that a later event took over
        readable = ok and readable
        call('HDEL', record, name)
      end
    end
  until cursor == '0'
  return true, readable
end

-- Returns the facts that deliveries of a receipt led to, as each names them; these refer to its events.
local function facts_of(receipt, is_packed)
  local found = {}
  if is_packed then return read_led(receipt) end
  if call('HEXISTS', P .. 'r:' .. receipt, 'led') == 0 then return found end
  for _, name in ipairs(call('HKEYS', P .. 'r:' .. receipt)) do
    local id = string.match(name, '^d:(.*)$')
    found[#found + 1] = id and call('HGET', P .. 'd:' .. id, 'led') or nil
  end
  return found
end

-- Returns a fact that is still there and refers to an event of a receipt; nil where none does.
local function referring_fact(receipt, is_packed)
  for _, ids in ipairs(facts_of(receipt, is_packed)) do
    for id in string.gmatch(ids, '%S+') do
      if call('EXISTS', P .. 'r:' .. id, P .. 'p:' .. id) > 0 then return id end
    end
  end
end

-- Keeps a receipt that is over its age, nil: over the count, while a fact refers to it: it is looked at again in an hour,
-- or goes behind that fact.
local function keep_referred(list, receipt, fact, age_ms)
  local at = tonumber(call('ZSCORE', list, receipt))
  local behind = tonumber(call('ZSCORE', P .. 'finished', fact) or call('ZSCORE', PACKED, fact) or -1)
  local later = age_ms and now - age_ms + LOOK_AGAIN_MS or behind >= at and behind + 1 or now
  call('ZADD', list, later, receipt)
end

-- Returns whether all of a receipt is gone, and whether all could be read.
local function remove_receipt(receipt)
  local record = P .. 'r:' .. receipt
  local source, state, at, late, repeated_by = unpack(call('HMGET', record, 'src', 'state', 'at', 'late', 'rep'))
  local gone, readable = remove_parts(receipt, source or '', {d = true, e = true, w = true})
  if not gone then return false, readable end
  gone = remove_parts(receipt, source or '', {c = true})
  if not gone then return false, readable end
  local remembered_ms = (tonumber(at) or 0) + req.duplicate_ms - now
  if remembered_ms > 0 then
    local retired = P .. 'retired:' .. receipt
    call('HSET', retired, 'at', at)
    if late then call('HSET', retired, 'late', late) end
    if repeated_by then call('HSET', retired, 'rep', repeated_by) end
    call('PEXPIRE', retired, remembered_ms)
  end
  if is_listed_by_state(state) then call('ZREM', P .. 'receipts:' .. state, receipt) end
  return true, readable
end

-- Removes what stands of a packed receipt in lists. Its `once` deliveries have left their identity when it was packed.
local function remove_packed(receipt)
  local packed, _, people = find_packed(receipt), split_packed(receipt)
  for i, event in ipairs(packed.events) do remove_event(receipt, packed.source, i - 1, event) end
  for _, person in ipairs(cmsgpack.unpack(people)) do remove_person(receipt, person) end
  for _, delivery in ipairs(packed.deliveries) do call('UNLINK', P .. 'in:' .. delivery[2]) end
  if is_listed_by_state(packed.state) then call('ZREM', P .. 'receipts:' .. packed.state, receipt) end
  return true, true
end

local function read_size(receipt)
  local source, size = unpack(uncounted_call('HMGET', P .. 'r:' .. receipt, 'src', 'size'))
  if source then return source, size end
  local packed = find_packed(receipt)
  return packed.source, packed.size
end

local function write_expired(receipt, rule)
  req.by, req.why = 'retention', rule
  write_audit('expire', 'receipt ' .. receipt, 'dead')
end

local removed, damaged = 0, {}

-- Removes a receipt of a list; of one that could not be read what could be found of it. `age_ms`: over which age it is;
-- nil: over the count. `rule`: by which the audit says that it went; nil: it is not told. Returns whether it is dealt with:
-- a large one may take several calls, and one that a fact refers to stays.
local function remove_listed(list, receipt, age_ms, rule)
  local looked, fact = pcall(referring_fact, receipt, list == PACKED)
  if looked and fact then
    keep_referred(list, receipt, fact, age_ms)
    return true
  end
  local known, source, size = pcall(read_size, receipt)
  local ok, gone, readable = pcall(list == PACKED and remove_packed or remove_receipt, receipt)
  if not ok or (gone and not readable) then damaged[#damaged + 1] = receipt end
  if ok and not gone then return false end
  for _, state in ipairs(ok and {} or {'malformed', 'quarantined'}) do call('ZREM', P .. 'receipts:' .. state, receipt) end
  call('UNLINK', P .. 'r:' .. receipt, P .. 'b:' .. receipt, P .. 'p:' .. receipt)
  call('ZREM', P .. 'receipts', receipt)
  call('ZREM', list, receipt)
  removed = removed + 1
  if rule then write_expired(receipt, rule) end
  if known and source then
    count('removed|' .. source .. '|receipts')
    count('removed|' .. source .. '|bytes', size)
  end
  return true
end
