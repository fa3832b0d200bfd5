#!lua flags=allow-oom
-- Removes the oldest finished receipts with their events, deliveries and contents: those over their age, and those over
-- the count. The ids of `once` deliveries stay for good, in small hashes; what tells a repetition of the hook stays for
-- as long as amoCRM may repeat it. A large receipt is removed in several calls: it is the last to go.
-- Packed ones count as the others do. Those with a dead letter have an age and a count of their own, and the audit tells of each that went by which rule.
-- req: {finished_ms, dead_ms, count, dead_count, dead_rules = {by age, by count}, max, most, duplicate_ms}.
-- Answers records.Retired.
-- Returns the list whose first is before those of the others, and that: by when it was finished, then by its id.
local function find_oldest(lists)
  local oldest, oldest_id, oldest_at
  for _, list in ipairs(lists) do
    local id, at = unpack(call('ZRANGE', list, 0, 0, 'WITHSCORES'))
    at = tonumber(at)
    if id and (not oldest or at < oldest_at or (at == oldest_at and id < oldest_id)) then
      oldest, oldest_id, oldest_at = list, id, at
    end
  end
  return oldest, oldest_id
end

local function remove_oldest(lists, age_ms, most, rules)
  local length, too_old = 0, 0
  for _, list in ipairs(lists) do
    length, too_old = length + call('ZCARD', list), too_old + call('ZCOUNT', list, '-inf', now - age_ms)
  end
  local over, i, kept = math.max(length - most, too_old), 1, 0
  while i <= over and kept <= over do
    if removed >= req.max or spent >= req.most then return true end
    local list, receipt = find_oldest(lists)
    local is_old, before = i <= too_old, removed
    if not remove_listed(list, receipt, is_old and age_ms or nil, rules and rules[is_old and 1 or 2]) then return true end
    -- Of one over the count that a fact refers to another one goes in its place.
    if is_old or removed > before then i = i + 1 else kept = kept + 1 end
  end
  return false
end
local more = remove_oldest({P .. 'finished', PACKED}, req.finished_ms, req.count)
more = remove_oldest({P .. 'finished:dead'}, req.dead_ms, req.dead_count, req.dead_rules) or more
count('retired', removed)
write_collected()
-- records.Retired
return cmsgpack.pack({removed, more, damaged})
