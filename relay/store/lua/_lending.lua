-- What the home of a sink lends to the drainers of other shards: slots, grants of its limits, trials of its gates. A slot
-- that is lent stands among the leases of the sink's queue here, until it is reported or runs out: so every claim counts it.
local lending = {
  MOST_SLOTS = 100,  -- of one claim
  ASK_AGAIN_MS = 100,  -- while every slot is taken
  LOOK_AGAIN_MS = 1000,  -- while a gate is closed, which a person may open
}

local function lent_slots(token, first, last)
  local slots = {}
  for number = first, last do slots[#slots + 1] = lent_slot(token, number) end
  return slots
end

-- Takes slots back. Returns how many of them were still lent.
local function take_back_slots(queue, slots)
  return #slots > 0 and call('ZREM', P .. 'leased:' .. queue, unpack(slots)) or 0
end

-- Takes back what has run out, and what was lent under tokens whose answers were never heard: nothing is sent by it.
local function take_back_lent(gate, unheard, limits)
  local leased, slots = P .. 'leased:' .. gate.queue, {}
  for _, slot in ipairs(call('ZRANGEBYSCORE', leased, '-inf', now)) do
    if string.match(slot, '^lent|') then slots[#slots + 1] = slot end
    turns.note_expired(slot, limits, leased)
  end
  take_back_slots(gate.queue, slots)
  for _, token in ipairs(unheard) do
    take_back_slots(gate.queue, lent_slots(token, 1, lending.MOST_SLOTS))
    for field in pairs(gate.fields) do
      local route = field == 'until' and '' or string.match(field, '^route:(.*)$')
      if route then end_trial(gate, route, token, 'throttled') end
    end
  end
end

-- Returns the trials that may be made now: of each closed gate one, {route, until when it is closed}.
local function possible_trials(gate)
  local trials = {}
  for field, closed_until in pairs(gate.fields) do
    local route = field == 'until' and '' or string.match(field, '^route:(.*)$')
    if route and not read_closed(gate, route) then trials[#trials + 1] = {route, tonumber(closed_until)} end
  end
  return trials
end

-- Returns a gate as other shards read it: what their own time is compared to, and the trials.
local function copy_gate(gate)
  local fields = {}
  for name, value in pairs(gate.fields) do
    if name ~= 'ramp' and name ~= 'advance' then
      fields[#fields + 1] = name
      fields[#fields + 1] = value
    end
  end
  return fields
end

local function lend_reply(slots, wait_ms, at, openings, gate, trials)
  return {slots, wait_ms, at, openings, gate, trials}
end

local function refuse(wait_ms) return lend_reply(0, wait_ms, now, 0, {}, {}) end

-- Keeps the next turn for the home where it has work as well: it sees no slot that falls free, as the shard that reports
-- borrows anew in the same call. Of slots, while it has fewer than the others.
local function keep_turn_of_home(request, gate, leased)
  local due_at = first_score(P .. 'due:' .. request.queue)
  if not due_at or due_at > now or next(gate.fields) then return end
  local slots, _, ask_at = free_slots(request, gate)
  if slots > 0 or (not ask_at and 2 * turns.count_lent(leased) <= count_started(request.queue, 0)) then return end
  turns.keep(turns.HOME, request, gate, leased, ask_at)
end

-- Lends what a claims.ClaimRequest asks for, to a drainer of the shard `borrower`: its `token` names what is lent.
-- Returns a lending.LendReply.
local function lend(request, borrower)
  local queue = request.queue
  local gate, leased = read_gate(queue), P .. 'leased:' .. queue
  end_pause_in_time(gate)
  take_back_lent(gate, request.unheard, request.limits)
  if request.max == 0 then return refuse(0) end
  turns.finish(borrower, request, leased)
  if gate.fields.paused then return refuse(lending.LOOK_AGAIN_MS) end
  local slots, _, ask_at = free_slots(request, gate)
  if slots <= 0 then
    turns.keep(borrower, request, gate, leased, ask_at)
    return refuse(ask_at and math.min(math.max(ask_at - now, 0), lending.LOOK_AGAIN_MS) or lending.ASK_AGAIN_MS)
  end
  local ends, fields, trials, leases = now + request.lease_ms, copy_gate(gate), possible_trials(gate), {}
  for _, trial in ipairs(trials) do
    local route = unpack(trial, 1, 1)
    set_gate(gate, UNTIL, route, ends)
    set_gate(gate, TRIAL, route, request.token)
  end
  for number = 1, slots do
    leases[2 * number - 1], leases[2 * number] = ends, lent_slot(request.token, number)
  end
  call('ZADD', leased, unpack(leases))
  for _, limit in ipairs(request.limits) do take_grants(limit, slots) end
  keep_turn_of_home(request, gate, leased)
  local openings = tonumber(call('HGET', P .. 'openings', openings_of(queue, '')) or 0)
  return lend_reply(slots, 0, now, openings, fields, trials)
end

-- Lets what attempts came to that another shard made open or close the gates, and counts it; `reports` are of
-- lending.ReportRow. What runs under no lent slot any more is left out, so a report may be repeated.
-- Returns for each what its delivery remembers where it was blocked, else ''; and the place of the report whose
-- delivery is tried first where the breaker has closed the gate now, 0 where it has not.
local function report(queue, reports, breaker)
  local gate, marks, held = read_gate(queue), {}, {}
  gate.breaker = type(breaker) == 'table' and breaker  -- else cmsgpack's nil
  local well, unwell, last = 0, 0, 0
  for place, row in ipairs(reports) do
    local token, number, route, item = unpack(row)
    local slot = lent_slot(token, number)
    if held[slot] == nil then held[slot] = take_back_slots(queue, {slot}) == 1 end  -- a batch has one
    marks[place] = ''
    if held[slot] then
      if item[COUNTED] and WELL[item[OUTCOME]] then well = well + 1 end
      if item[COUNTED] and UNWELL[item[OUTCOME]] then unwell, last = unwell + 1, place end
      update_gates(gate, item, token, next(gate.fields) and route)
      if item[GATE_MS] > 0 then marks[place] = blocked_mark(queue, item[GATE_ROUTE]) end
    end
  end
  local item = last > 0 and reports[last][4]
  local tripped = watch(gate, well, unwell, item and item[REASON], item and item[ASKED_MS])
  return marks, tripped and last or 0
end
