-- Who waits at the home of a sink for its turn: another shard, or the HOME itself, as else who asks first would always be
-- first. One waits at a time, among the leases of the sink's queue: it counts as a slot that is taken. Where it waits for
-- limits, the next grant of each is kept for it as well; when that is follows from the score, whoever ends the turn.
-- One table: a script has at most 200 locals.
local turns = {HOME = ''}
local WANTED_MS = 2000  -- after the time at which it may have it

local function lent_slot(token, number) return 'lent|' .. token .. '|' .. number end

function turns.of_slot(shard) return lent_slot(shard, 'next slot') end

function turns.of_grant(shard) return lent_slot(shard, 'next grant') end

-- Returns how many leases other shards have, and whether anybody waits for its turn.
function turns.count_lent(leased)
  local lent, is_wanted = 0, false
  for _, slot in ipairs(call('ZRANGE', leased, 0, -1)) do
    if string.match(slot, '^lent|') then lent = lent + 1 end
    if string.match(slot, '^lent|.*|next %l+$') then is_wanted = true end
  end
  return lent, is_wanted
end

-- Keeps the next turn, where nothing but slots or limits is in the way and no other waits. `ask_at`: when the limits have
-- a grant; nil where every slot is taken.
function turns.keep(shard, request, gate, leased, ask_at)
  local _, is_wanted = turns.count_lent(leased)
  if is_wanted or (ask_at and next(gate.fields)) then return end
  call('ZADD', leased, (ask_at or now) + WANTED_MS, ask_at and turns.of_grant(shard) or turns.of_slot(shard))
  for _, limit in ipairs(ask_at and request.limits or {}) do reserve_grant(limit, ask_at) end
end

-- Gives back the grants that were kept for a turn which lasts until `ends`.
function turns.return_reserved(limits, ends)
  for _, limit in ipairs(limits) do return_grants(limit, 1, ends - WANTED_MS) end
end

-- Ends a turn: now it is this shard's, or it waits anew. Returns whether there was one.
function turns.finish(shard, request, leased)
  local slot_ends, grant_ends = unpack(call('ZMSCORE', leased, turns.of_slot(shard), turns.of_grant(shard)))
  if slot_ends then call('ZREM', leased, turns.of_slot(shard)) end
  if grant_ends then
    call('ZREM', leased, turns.of_grant(shard))
    turns.return_reserved(request.limits, grant_ends)
  end
  return slot_ends or grant_ends
end

-- Gives back what was kept for a turn that has run out: nobody came. `slot` is a lease, before it is removed.
function turns.note_expired(slot, limits, leased)
  if string.match(slot, '^lent|.*|next grant$') then turns.return_reserved(limits, call('ZSCORE', leased, slot)) end
end
