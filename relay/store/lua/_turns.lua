-- Who waits at the home of a sink for its turn: another shard, or the home itself (''), as else who asks first would always
-- be first. One waits at a time, among the leases of the sink's queue: it counts as a slot that is taken. Where it waits for
-- limits, the next grant of each is kept for it as well; when that is follows from the score, whoever ends the turn.
local WANTED_MS = 2000  -- after the time at which it may have it

local function lent_slot(token, number) return 'lent|' .. token .. '|' .. number end

local function turn_of_slot(shard) return lent_slot(shard, 'next slot') end

local function turn_of_grant(shard) return lent_slot(shard, 'next grant') end

-- Whether anybody waits for its turn.
local function is_wanted(leased)
  for _, slot in ipairs(call('ZRANGE', leased, 0, -1)) do
    if string.match(slot, '^lent|.*|next %l+$') then return true end
  end
  return false
end

-- Keeps the next turn, where nothing but slots or limits is in the way and no other waits. `ask_at`: when the limits have
-- a grant; nil where every slot is taken.
local function keep_turn(shard, request, gate, leased, ask_at)
  if (ask_at and next(gate.fields)) or is_wanted(leased) then return end
  call('ZADD', leased, (ask_at or now) + WANTED_MS, ask_at and turn_of_grant(shard) or turn_of_slot(shard))
  for _, limit in ipairs(ask_at and request.limits or {}) do reserve_grant(limit, ask_at) end
end

-- Gives back the grants that were kept for a turn which lasts until `ends`.
local function return_reserved(limits, ends)
  for _, limit in ipairs(limits) do return_grants(limit, 1, ends - WANTED_MS) end
end

-- Ends a turn: now it is this shard's, or it waits anew. Returns whether there was one.
local function end_turn(shard, request, leased)
  local of_slot, of_grant = unpack(call('ZMSCORE', leased, turn_of_slot(shard), turn_of_grant(shard)))
  if of_slot then call('ZREM', leased, turn_of_slot(shard)) end
  if of_grant then
    call('ZREM', leased, turn_of_grant(shard))
    return_reserved(request.limits, of_grant)
  end
  return of_slot or of_grant
end

-- Gives back what was kept for a turn that has run out: nobody came. `slot` is a lease, before it is removed.
local function return_if_turn(slot, limits, leased)
  if string.match(slot, '^lent|.*|next grant$') then return_reserved(limits, call('ZSCORE', leased, slot)) end
end
