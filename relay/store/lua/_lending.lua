-- What the home of a sink lends to the drainers of other shards: slots, grants of its limits, trials of its gates. A slot
-- that is lent stands among the leases of the sink's queue here, until it is reported or runs out: so every claim counts it.
local MOST_SLOTS = 100  -- of one claim
local WANTED_MS = 2000
local ASK_AGAIN_MS, LOOK_AGAIN_MS = 100, 1000  -- while every slot is taken; while a gate is closed, which a person may open

local function lent_slot(token, number) return 'lent|' .. token .. '|' .. number end

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
local function take_back_lent(gate, unheard)
  local slots = {}
  for _, slot in ipairs(call('ZRANGEBYSCORE', P .. 'leased:' .. gate.queue, '-inf', now)) do
    if string.match(slot, '^lent|') then slots[#slots + 1] = slot end
  end
  take_back_slots(gate.queue, slots)
  for _, token in ipairs(unheard) do
    take_back_slots(gate.queue, lent_slots(token, 1, MOST_SLOTS))
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

local function lend_reply(slots, wait_ms, at, openings, gate, trials, reserved)
  return {slots, wait_ms, at, openings, gate, trials, reserved}
end

local function refuse(wait_ms, reserved) return lend_reply(0, wait_ms, now, 0, {}, {}, reserved or 0) end

-- Whether a shard waits for its turn.
local function is_wanted(leased)
  for _, slot in ipairs(call('ZRANGE', leased, 0, -1)) do
    if string.match(slot, '^lent|.*|wanted$') then return true end
  end
  return false
end

-- Keeps the next turn for a shard, where nothing but slots or limits is in its way and no other waits: else what is in the
-- home would always be first. A slot counts as taken, and of each limit the grant that is the next: `ask_at` is its time.
-- Returns that, 0 where there is none.
local function keep_turn(request, gate, leased, wanted, ask_at)
  if (ask_at and next(gate.fields)) or is_wanted(leased) then return 0 end
  call('ZADD', leased, (ask_at or now) + WANTED_MS, wanted)
  for _, limit in ipairs(ask_at and request.limits or {}) do reserve_grant(limit, ask_at) end
  return ask_at or 0
end

-- Ends that: now it is the shard's turn, or it waits anew.
local function end_turn(request, leased, wanted, reserved)
  if call('ZREM', leased, wanted) == 0 or reserved == 0 then return end
  for _, limit in ipairs(request.limits) do return_grants(limit, 1, reserved) end
end

-- Lends what a wire.ClaimRequest asks for, to a drainer of the shard `borrower`: its `token` names what is lent.
-- `reserved`: the time of the grants that were kept for it. Returns a wire.LendReply.
local function lend(request, borrower, reserved)
  local queue = request.queue
  local gate, leased, wanted = read_gate(queue), P .. 'leased:' .. queue, lent_slot(borrower, 'wanted')
  end_pause_in_time(gate)
  take_back_lent(gate, request.unheard)
  if request.max == 0 then return refuse(0) end
  end_turn(request, leased, wanted, reserved)
  if gate.fields.paused then return refuse(LOOK_AGAIN_MS) end
  local slots, _, ask_at = free_slots(request, gate)
  if slots <= 0 then
    local wait_ms = ask_at and math.min(math.max(ask_at - now, 0), LOOK_AGAIN_MS) or ASK_AGAIN_MS
    return refuse(wait_ms, keep_turn(request, gate, leased, wanted, ask_at))
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
  local openings = tonumber(call('HGET', P .. 'openings', openings_of(queue, '')) or 0)
  return lend_reply(slots, 0, now, openings, fields, trials, 0)
end

-- Lets what attempts came to that another shard made open or close the gates, and counts it; `reports` are of
-- wire.ReportRow. What runs under no lent slot any more is left out, so a report may be repeated.
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
