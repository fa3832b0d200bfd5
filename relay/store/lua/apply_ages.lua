#!lua flags=allow-oom
-- Removes finished receipts that are over an age of their own, shorter than that of others: by their source, and by what
-- they and their deliveries came to. Each receipt is looked at once for each age, when it has reached it; with other ages
-- all are looked at anew. req: {digest: of the ages, age_ms, lists = {name…}, ages = {source → {state → ms}}, where '' is
-- any other source, rule: how the audit calls it, '' where it is not told, max, most, duplicate_ms}.
-- Answers records.Retired.
local RECORD = P .. 'ages'
local PAGE = 100

-- Returns the states that decide: of a receipt's deliveries, or its own where it has made none.
local function states_of(receipt, state)
  local states, flat = {}, call('HGETALL', P .. 'r:' .. receipt)
  for i = 1, #flat, 2 do
    local id = string.match(flat[i], '^d:(.*)$')
    local of_delivery = id and call('HGET', P .. 'd:' .. id, 'state')
    if of_delivery then states[#states + 1] = of_delivery end
  end
  return #states > 0 and states or {state}
end

-- Returns the source of a receipt, and the states that decide.
local function read_states(receipt, list)
  local source, state = unpack(call('HMGET', P .. 'r:' .. receipt, 'src', 'state'))
  if source then return source, list == P .. 'finished:dead' and {'dead'} or states_of(receipt, state) end
  local packed, states = read_packed(receipt), {}
  for _, delivery in ipairs(packed.deliveries) do states[#states + 1] = delivery[6] end
  return packed.source, #states > 0 and states or {packed.state}
end

-- Returns for how long a receipt is kept: as long as the longest of its states says.
local function age_of(receipt, list)
  local source, states = read_states(receipt, list)
  local ages, longest = req.ages[source] or req.ages[''], 0
  for _, state in ipairs(states) do longest = math.max(longest, ages[state] or ages.finished) end
  return longest
end

-- Returns the next rows of a list behind a place, {id, score…}; none where there are no more that have reached the age.
local function next_rows(list, score, member)
  local start, rows = 0, {}
  repeat
    local flat = call('ZRANGEBYSCORE', list, score, now - req.age_ms, 'WITHSCORES', 'LIMIT', start, PAGE)
    for i = 1, #flat, 2 do
      if tonumber(flat[i + 1]) > tonumber(score) or flat[i] > member then
        rows[#rows + 1] = flat[i]
        rows[#rows + 1] = flat[i + 1]
      end
    end
    start = start + PAGE
  until #rows > 0 or #flat < PAGE * 2
  return rows
end

-- Looks at what of a list has reached the age since the last look. Returns whether there is more.
local function walk(name)
  local list, field = P .. name, name .. ':' .. string.format('%.0f', req.age_ms)
  local score, member = string.match(call('HGET', RECORD, field) or '0|', '^(.-)|(.*)$')
  while true do
    local rows = next_rows(list, score, member)
    if #rows == 0 then return false end
    for i = 1, #rows, 2 do
      if removed >= req.max or spent >= req.most then return true end
      local receipt = rows[i]
      local known, age = pcall(age_of, receipt, list)
      local rule = req.rule ~= '' and req.rule or nil
      if known and age <= req.age_ms and not remove_listed(list, receipt, req.age_ms, rule) then return true end
      score, member = rows[i + 1], receipt
      call('HSET', RECORD, field, score .. '|' .. member)
    end
  end
end

if call('HGET', RECORD, 'digest') ~= req.digest then
  call('DEL', RECORD)
  call('HSET', RECORD, 'digest', req.digest)
end
local more = false
for _, name in ipairs(req.lists) do more = walk(name) or more end
count('retired', removed)
write_collected()
-- records.Retired
return cmsgpack.pack({removed, more, damaged})
