-- Takes what may be taken of a queue now, under a lease. What is under an expired lease is due again. A worker that dies
-- makes suspects of all that it held: from the second death on one is taken alone. Only what was held alone five times by
-- workers that died is poisoned: it is given up.
local ALONE_AFTER = 2  -- deaths
local claiming = {
  TRIAL_CANDIDATES = 50,  -- where a gate is closed
  TRIAL_MS = 1000,  -- what waits for a route's trial is looked at again
  RAMP_STEP_MS = 500,  -- after which twice as many may be in flight
  ADVANCED_AT_ONCE = 500,
  MOST_BYTES = 1024 * 1024,  -- of bodies or contents in one claim: the store does nothing else while it reads them
  RECALLED_MS = 1500,  -- what is ahead is given back within a second and a call
  ALONE_MS = 60000,  -- a worker ends all else before it begins with a suspect
}
-- The fields that a claim reads and returns: claims.ClaimedReceipt, claims.ClaimedDelivery, claims.ClaimedJob.
local FIELDS = {
  r = {'died', 'src', 'at', 'ct', 'ua', 'rq', 'z', 'size', 'ce', 'trace', 'orig'},
  d = {'died', 'ev', 'src', 'route', 'acc', 'at', 'att', 'size', 'c', 'sends', 'sink', 'blk', 'gen', 'trial', 'send', 'trace',
    'keyed'},
  j = {'died', 'kind', 'args'},
}
-- Places; the second is in every record.
local DEATHS, PRESENT, ROUTE, SIZE, CONTENT, BLOCKED, IS_TRIAL, KEYED = 1, 2, 4, 8, 9, 12, 14, 17
local ORIGINAL = 11  -- of a receipt

-- Takes a delivery off the list of those that are claimed ahead of a slot. Returns since when it was due, or nil.
local function leave_ahead(queue, id)
  local ahead = P .. 'ahead:' .. queue
  local due_at = call('ZSCORE', ahead, id)
  if not due_at then return nil end
  call('ZREM', ahead, id)
  return due_at
end

-- Gives back what was claimed ahead and has not begun: it waits where it waited, and nobody died.
local function give_back_ahead(request, due, leased)
  for _, lease in ipairs(request.back) do
    local id, token = unpack(lease)
    if call('HGET', P .. 'd:' .. id, 'tok') == token and call('ZREM', leased, id) == 1 then
      give_back(request.queue, due, id, leave_ahead(request.queue, id) or now)
    end
  end
  local ahead = P .. 'ahead:' .. request.queue
  if #request.back > 0 and call('ZCARD', ahead) == 1 and call('ZSCORE', ahead, '') then call('DEL', ahead) end
end

-- Whether all that is claimed ahead in a queue is to be given back, because a person wants something of it.
local function is_recalled(queue)
  local ahead = P .. 'ahead:' .. queue
  local at = tonumber(call('ZSCORE', ahead, '') or -math.huge)
  if at > now - claiming.RECALLED_MS then return true end
  if at > 0 then call('ZREM', ahead, '') end
  return false
end

-- Gives back what was taken under tokens whose claims were never answered: nobody works at it, and nobody died.
local function give_back_unheard(request, gate, due, leased)
  if #request.unheard == 0 then return end
  local kind, unheard = request.kind, {}
  for _, token in ipairs(request.unheard) do unheard[token] = true end
  for _, id in ipairs(call('ZRANGE', leased, 0, dying.MOST_LEASES - 1)) do
    local record = P .. kind .. ':' .. id
    if unheard[call('HGET', record, 'tok') or ''] then
      call('ZREM', leased, id)
      local due_at = kind == 'd' and leave_ahead(request.queue, id) or now
      if kind ~= 'd' then
        call('ZADD', due, due_at, id)
      else
        give_back(request.queue, due, id, due_at)
        end_trial(gate, '', id, 'throttled')
        end_trial(gate, call('HGET', P .. 'd:' .. id, 'route'), id, 'throttled')
      end
    end
  end
end

-- Half from the oldest, half from the newest: many stale items never starve fresh ones, nor the other way round. An odd
-- one is for either end in turn: a busy sink frees one slot at a time. Returns them, and where they are all that is due, the
-- first time at which another will be: infinite where none waits.
local function candidates(due, n)
  local ids, found, waits = {}, call('ZRANGE', due, 0, n, 'WITHSCORES'), math.huge
  for i = 1, #found, 2 do
    local at = tonumber(found[i + 1])
    if at > now then waits = math.min(waits, at) else ids[#ids + 1] = found[i] end
  end
  if #ids <= n then return ids, waits end
  local old = math.floor((n + time[2] % 2) / 2)  -- microseconds: claims may be in step with milliseconds
  for i, id in ipairs(call('ZREVRANGEBYSCORE', due, now, '-inf', 'LIMIT', 0, n - old)) do ids[old + i] = id end
  ids[n + 1] = nil
  return ids
end

-- Returns how many may be taken while the rate grows, and when they may be more.
local function ramp_slots(gate, request)
  local step = math.floor((now - gate.fields.ramp) / claiming.RAMP_STEP_MS)
  local most = request.concurrency > 0 and request.concurrency or request.max
  if 2 ^ step >= most then
    call('HDEL', gate.key, 'ramp')
    gate.fields.ramp = nil
    return most
  end
  return 2 ^ step - count_started(request.queue, 0), gate.fields.ramp + (step + 1) * claiming.RAMP_STEP_MS
end

-- Makes due what waits only because the sink failed, so many at a time. `advance` is how many others were seen.
local function advance_waiting(gate, due)
  local seen = tonumber(gate.fields.advance)
  -- By rank: an offset among scores is walked through, one by one.
  local first = call('ZCOUNT', due, '-inf', now) + seen
  local ids = call('ZRANGE', due, first, first + claiming.ADVANCED_AT_ONCE - 1)
  for _, id in ipairs(ids) do
    local from = tonumber(call('HGET', P .. 'd:' .. id, 'down'))
    if from then call('ZADD', due, math.max(now, from), id) end
    if not from or from > now then seen = seen + 1 end
  end
  if #ids == claiming.ADVANCED_AT_ONCE then
    call('HSET', gate.key, 'advance', seen)
  else
    call('HDEL', gate.key, 'advance')
    gate.fields.advance = nil
  end
end

-- Returns how many may be taken into slots, and how many ahead of one: that is none while a slot is free, where there is
-- a rate, or while a gate is not wide open. Where it is none of both, returns also when to ask again.
local function free_slots(request, gate)
  local slots = request.max
  local closed_until, open = read_closed(gate, '')
  if closed_until then return 0, 0, closed_until end
  if slots == 0 and request.ahead == 0 then return 0, 0 end  -- it only gives back: a trial would be out that nobody makes
  if not open then slots = math.min(slots, 1) end
  if open and gate.fields.ramp then
    local allowed, next_step = ramp_slots(gate, request)
    if allowed <= 0 then return 0, 0, next_step end
    slots = math.min(slots, allowed)
  end
  local room = math.huge
  if request.concurrency > 0 then
    local few = request.ahead == 0 and request.concurrency - slots or 0
    room = request.concurrency - count_started(request.queue, few)
  end
  slots = math.min(slots, room)
  for _, limit in ipairs(request.limits) do
    if slots > 0 then
      local free, at = free_grants(limit, slots)
      if free <= 0 then return 0, 0, at end
      slots = math.min(slots, free)
    end
  end
  local may = slots == room and slots >= 0 and #request.limits == 0 and not next(gate.fields)
  return slots, may and request.ahead or 0, nil
end

-- Ends the turn of the home of a sink, where nothing may be taken beside it. Returns whether there was one, and what
-- `free_slots` returns: where it is none of both, the home waits on while something is due.
local function take_turn_of_home(request, gate, due, leased)
  if not turns.finish(turns.HOME, request, leased) then return false end
  local slots, ahead, ask_at = free_slots(request, gate)
  if slots <= 0 and ahead == 0 and (first_score(due) or math.huge) <= now then
    turns.keep(turns.HOME, request, gate, leased, ask_at)
  end
  return true, slots, ahead, ask_at
end

-- The key of the blob that goes with an item; a job has nothing beside its record.
local function blob_key(kind, id, row)
  if kind == 'r' then return P .. 'b:' .. id end
  if kind == 'd' then return P .. 'c:' .. row[CONTENT] end
end

-- Deliveries of the release of commit b42e45f do not have their sizes: once none of it runs this goes.
local function size_of(kind, id, row)
  if kind == 'j' then return 0 end
  return row[SIZE] or call('STRLEN', blob_key(kind, id, row))
end

-- Returns how large the hooks are that a fact tells of, which its worker reads with it. Each counts once: `seen`.
local function size_of_original(event, seen)
  local bytes = 0
  while event and not seen[receipt_of(event)] do
    local receipt = receipt_of(event)
    seen[receipt] = true
    local size, before = unpack(call('HMGET', P .. 'r:' .. receipt, 'size', 'orig'))
    bytes, event = bytes + (size or 0), before
  end
  return bytes
end

local function read_blobs(keys)
  if #keys == 0 then return {} end
  local blobs = call('MGET', unpack(keys))
  for i = 1, #keys do blobs[i] = blobs[i] or '' end
  return blobs
end

-- What may be taken, where a gate is closed: more than there are slots for, because not all of it may pass. First what
-- was not blocked itself, from anywhere: what is refused often stands in a row.
local function candidates_for_trials(due, slots)
  local others, blocked = {}, {}
  for _, id in ipairs(candidates(due, math.max(slots, claiming.TRIAL_CANDIDATES))) do
    local list = call('HEXISTS', P .. 'd:' .. id, 'blk') == 1 and blocked or others
    list[#list + 1] = id
  end
  local ids, n = {}, #others
  for i = 1, n do ids[i] = others[(i + time[2]) % n + 1] end
  for i, id in ipairs(blocked) do ids[n + i] = id end
  return ids
end

-- Returns whether the gates let a delivery pass. Where one is closed and does, this is its trial. What a route's gate
-- keeps back is looked at again in its time, and while a trial is out, soon.
local function pass_gates(gate, due, id, row, lease_ends)
  local route, blocked = row[ROUTE], row[BLOCKED]
  local _, queue_open = read_closed(gate, '')
  local closed_until, route_open = read_closed(gate, route)
  if not queue_open and not may_be_trial(gate, '', blocked) then return false end
  if not route_open and (closed_until or not may_be_trial(gate, route, blocked)) then
    local soon = get_gate(gate, TRIAL, route) and now + claiming.TRIAL_MS or math.huge
    call('ZADD', due, math.min(tonumber(get_gate(gate, UNTIL, route)), soon), id)
    return false
  end
  if not queue_open then begin_trial(gate, '', id, blocked, lease_ends) end
  if not route_open then begin_trial(gate, route, id, blocked, lease_ends) end
  return true
end

-- Takes up to `slots` of what is due, and up to `ahead` behind them. Returns ids, rows and blobs; the last of them are
-- ahead where they are more than the slots. What a worker died with is never ahead, nor is what has an `order` key:
-- one that arrived before it may yet be made. Returns also when the next of the queue
-- is due where that is known, and when the first of these leases ends.
local function take(request, slots, ahead, batched, gate, due, leased)
  local kind, fields, lease_ends = request.kind, FIELDS[request.kind], now + request.lease_ms
  local gated = next(gate.fields) ~= nil
  local ids, rows, blob_keys, leases, bytes, originals = {}, {}, {}, {}, 0, {}
  local most, found, waits = slots + ahead, nil, nil
  if gated then found = candidates_for_trials(due, slots) else found, waits = candidates(due, most) end
  for _, id in ipairs(found) do
    if #ids == most then break end
    local record = P .. kind .. ':' .. id
    local row = call('HMGET', record, unpack(fields))
    local blocked, deaths = row[BLOCKED], tonumber(row[DEATHS] or 0)
    -- A batch is refused as a whole: what was blocked does not go with others.
    local suspect = deaths >= ALONE_AFTER
    local ends = suspect and lease_ends + claiming.ALONE_MS or lease_ends
    local alone = suspect or (batched and blocked)
    if not row[PRESENT] then
      call('ZREM', due, id)
      forget(kind, request.queue, id)
    elseif (#ids < slots or (deaths == 0 and not is_ordered(row[KEYED]))) and (not alone or #ids == 0)
      and (not gated or pass_gates(gate, due, id, row, ends)) then
      bytes = bytes + size_of(kind, id, row)
      if kind == 'r' and row[ORIGINAL] then bytes = bytes + size_of_original(row[ORIGINAL], originals) end
      if #ids > 0 and bytes > claiming.MOST_BYTES then break end
      call('HSET', record, 'tok', request.token)
      if blocked then row[BLOCKED] = not gate.is_copy and is_at_fault(request.queue, blocked) and '1' end
      if blocked and gate.is_copy then gate.marks[#gate.marks + 1] = {id, blocked} end
      if gate.fields.breaker and get_gate(gate, TRIAL, '') == id then row[IS_TRIAL] = '1' end
      for i = 1, #fields do row[i] = row[i] or '0' end
      local n = #ids + 1
      ids[n], rows[n], blob_keys[n] = id, row, blob_key(kind, id, row)
      leases[2 * n - 1], leases[2 * n] = ends, id
      if alone then break end
    end
  end
  if #ids > slots then
    local first_ahead, list = slots + 1, {}
    for i, due_at in ipairs(call('ZMSCORE', due, unpack(ids, first_ahead))) do
      list[2 * i - 1], list[2 * i] = due_at, ids[slots + i]
    end
    call('ZADD', P .. 'ahead:' .. request.queue, unpack(list))
  end
  if #ids > 0 then
    call('ZREM', due, unpack(ids))
    call('ZADD', leased, unpack(leases))
  end
  return ids, rows, read_blobs(blob_keys), #ids == #found and waits or nil, leases[1] or math.huge
end

-- Returns before when nothing more may be taken: while a gate is closed, what is due may all be kept back by it.
-- That of another shard may be opened there meanwhile: it is asked again soon.
local function next_look(gate, due, taken)
  local closed_until = tonumber(get_gate(gate, UNTIL, ''))
  if taken > 0 or not closed_until then return 0 end
  if gate.is_copy then closed_until = math.min(closed_until, now + claiming.TRIAL_MS) end
  local another = call('ZRANGEBYSCORE', due, '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
  return math.min(closed_until, tonumber(another or math.huge))
end

-- claims.ClaimReply. wait_ms is -1 where there is nothing to wait for.
local function claim_reply(wait_ms, poisoned, ids, rows, batched, store_ms, ahead, recalled)
  return {wait_ms, poisoned, ids, rows, batched, store_ms, ahead, recalled}
end

-- Takes what a claims.ClaimRequest asks for. `gate`: that of the queue, where something of it was settled just now: then
-- often nothing is in it any more, and nothing else is looked at. `granted`: how many may leave, where the sink's home is
-- another shard, which decides that (_granted.lua). Returns a claims.ClaimReply and the blobs.
local function claim(request, gate, granted)
  local queue = request.queue
  local due, leased = P .. 'due:' .. queue, P .. 'leased:' .. queue
  if gate and not next(gate.fields) and call('EXISTS', due, leased) == 0 then
    call('ZREM', P .. 'wake', queue)
    return claim_reply(-1, {}, {}, {}, false, now, 0, false), {}
  end
  -- Receipts and jobs wait behind no gate.
  gate = gate or request.kind == 'd' and read_gate(queue) or {queue = queue, fields = {}}
  local paused_until = end_pause_in_time(gate)
  give_back_ahead(request, due, leased)
  give_back_unheard(request, gate, due, leased)
  local poisoned, first_leased = take_back_expired(request.kind, queue, due, leased, request.limits)
  if gate.fields.paused then
    -- What is in flight goes on: its leases run out as ever.
    local at = first_score(leased)
    if paused_until and (not at or paused_until < at) then at = paused_until end
    if at then call('ZADD', P .. 'wake', at, queue) else call('ZREM', P .. 'wake', queue) end
    return claim_reply(at and at - now or -1, poisoned, {}, {}, false, now, 0, true), {}
  end
  if gate.fields.advance and not gate.fields['until'] then advance_waiting(gate, due) end
  local slots, ahead, ask_at
  if granted then
    slots, ahead, ask_at = granted.slots, 0, now + granted.wait_ms
  else
    slots, ahead, ask_at = free_slots(request, gate)
  end
  local recalled = next(gate.fields) ~= nil or request.holds_ahead and is_recalled(queue)
  if recalled then ahead = 0 end
  if slots <= 0 and ahead == 0 and request.max > 0 and not granted then
    local had_turn, slots_now, ahead_now, ask_at_now = take_turn_of_home(request, gate, due, leased)
    if had_turn then slots, ahead, ask_at, first_leased = slots_now, recalled and 0 or ahead_now, ask_at_now, nil end
  end
  if slots <= 0 and ahead == 0 then
    -- Without a time to ask at, every slot is taken, and the settle of one will wake; or none was asked for.
    local at = update_wake(queue, ask_at or (request.max > 0 and math.huge or nil), nil, first_leased)
    local wait_ms = at and ask_at and math.max((granted and at or ask_at) - now, 0) or -1
    return claim_reply(wait_ms, poisoned, {}, {}, false, now, 0, recalled), {}
  end
  -- A batch is one call, so it takes one slot and one grant. While it is out nothing else is: each lease counts.
  local _, open = read_closed(gate, '')
  local batched = request.batch > 1 and open and call('ZCOUNT', due, '-inf', now) >= request.batch_from
  local ids, rows, blobs, first_due, ends =
    take(request, batched and request.batch or slots, ahead, batched, gate, due, leased)
  first_leased = first_leased and math.min(first_leased, ends)
  if #ids > 0 then
    for _, limit in ipairs(granted and {} or request.limits) do take_grants(limit, batched and 1 or #ids) end
  end
  -- What is still due may be taken at once, or when the limits allow: the drainer asks again by itself.
  local at = update_wake(queue, slots > 0 and next_look(gate, due, #ids) or math.huge, first_due, first_leased)
  local wait_ms = slots > 0 and at and math.max(at - now, 0) or -1
  local taken_ahead = batched and 0 or math.max(#ids - slots, 0)
  return claim_reply(wait_ms, poisoned, ids, rows, batched, now, taken_ahead, recalled), blobs
end
