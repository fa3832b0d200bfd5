-- Gates: whether deliveries may leave a queue now, or those of one route of it. What is blocked closes a gate at once.
-- Then a trial decides: one delivery is let through, and what it comes to opens the gate or closes it again. The first
-- trials follow at once, with other deliveries than those that were blocked: it may be these alone that are refused.
-- Where one arrives, the fault was theirs; where all are blocked too, or there are none, the gate is closed for its time.
local gating = {
  TRIALS_AT_ONCE = 3,  -- one would do, if events that are refused never came in a row
  FORGOTTEN_MS = 3600000,
  RAMP_AFTER_MS = 5000,  -- for which a gate must have been closed, so that its trials at once slow nothing down
  -- A gate that the breaker closed is tried after a tenth of the time for which it has been closed by then.
  BREAKER_SHARE = 0.1, BREAKER_FIRST_MS = 1000, BREAKER_MOST_MS = 60000,
}

-- The fields of each, with a route's name behind them.
local GATE = {
  sink = {'until', 'trial', 'tried'},
  route = {'route:', 'trial:', 'tried:'},
}
local UNTIL, TRIAL, TRIED = 1, 2, 3  -- places in them

-- In all that follows the route '' means the queue's own gate.
local function gate_field(kind, route)
  return route == '' and GATE.sink[kind] or GATE.route[kind] .. route
end

local function get_gate(gate, kind, route) return gate.fields[gate_field(kind, route)] end

local function set_gate(gate, kind, route, value)
  local name = gate_field(kind, route)
  gate.fields[name] = value and tostring(value)
  if gate.is_copy then return end  -- what the gate comes to is written by the sink's home (_granted.lua)
  if value then call('HSET', gate.key, name, value) else call('HDEL', gate.key, name) end
end

-- Returns until when nothing may pass (nil: a trial may), and whether the gate is open: then there are no trials.
local function read_closed(gate, route)
  local closed_until = tonumber(get_gate(gate, UNTIL, route))
  if not closed_until then return nil, true end
  local waits = get_gate(gate, TRIAL, route) or tonumber(get_gate(gate, TRIED, route) or 0) >= gating.TRIALS_AT_ONCE
  return closed_until > now and waits and closed_until or nil, false
end

-- Returns whether an item may pass that was `blocked` before, or was not, as a trial where the gate is closed.
local function may_be_trial(gate, route, blocked)
  return not blocked or tonumber(get_gate(gate, UNTIL, route)) <= now
end

-- While a trial is out nothing else passes; where its worker dies, another follows when its lease has run out.
local function begin_trial(gate, route, id, blocked, lease_ends)
  set_gate(gate, UNTIL, route, lease_ends)
  set_gate(gate, TRIAL, route, id)
  if not blocked then set_gate(gate, TRIED, route, (get_gate(gate, TRIED, route) or 0) + 1) end
end

-- Notes that the gate of a sink closed or opened, as a person did where there is a `by`. An account's gate is a problem of
-- its look-ups, and none of a sink.
local function note_gate_fact(kind, gate, route, reason, by)
  local sink = string.match(gate.queue, '^sink:(.*)$')
  if not sink then return end
  local since = route == '' and gate.fields.since
  note_fact(kind, sink .. '|' .. route, {sink = {name = sink, type = call('HGET', P .. 'sinks', sink) or '',
    route = route, reason = reason, closed_by = gate.fields.breaker and 'breaker' or 'answer',
    closed_at = since and string.format('%.0f', since) or '', by = by or ''}})
end

-- Closes a gate because of a delivery, unless a trial is out, which decides. `sure`: nothing needs to be tried first.
local function close_gate(gate, route, id, gate_ms, reason, sure)
  local trial, closed_until = get_gate(gate, TRIAL, route), tonumber(get_gate(gate, UNTIL, route))
  if trial and trial ~= id and closed_until > now then return end
  write_history(gate.queue, closed_until and 'still closed' or 'closed', reason, route)
  if route == '' then
    if not closed_until then count('closed|' .. string.gsub(gate.queue, '^sink:', '')) end
    call('HSETNX', gate.key, 'since', now)
    call('HSET', gate.key, 'reason', reason)
    gate.fields.since = gate.fields.since or now
  end
  set_gate(gate, UNTIL, route, now + gate_ms)
  set_gate(gate, TRIAL, route, nil)
  if sure then set_gate(gate, TRIED, route, gating.TRIALS_AT_ONCE) end
  if not closed_until then note_gate_fact('sink_closed', gate, route, reason) end
end

-- Closes the gate of a sink until its first trial, because the share of attempts that fail is too high. `asked_ms`: how
-- long the sink asked us to wait.
local function trip(gate, reason, asked_ms)
  count('closed|' .. string.gsub(gate.queue, '^sink:', ''))
  write_history(gate.queue, 'closed', reason)
  call('HSET', gate.key, 'since', now, 'reason', reason, 'breaker', 1)
  gate.fields.since, gate.fields.breaker = now, 1
  set_gate(gate, UNTIL, '', now + math.max(gating.BREAKER_FIRST_MS, asked_ms))
  set_gate(gate, TRIED, '', gating.TRIALS_AT_ONCE)
  note_gate_fact('sink_closed', gate, '', reason)
end

-- A trial failed: the sink is as unwell as it was.
local function stay_tripped(gate, reason, asked_ms)
  write_history(gate.queue, 'still closed', reason)
  call('HSET', gate.key, 'reason', reason)
  local pause_ms = math.floor((now - gate.fields.since) * gating.BREAKER_SHARE)
  local own_ms = math.min(math.max(pause_ms, gating.BREAKER_FIRST_MS), gating.BREAKER_MOST_MS)
  set_gate(gate, UNTIL, '', now + math.max(own_ms, asked_ms))
  set_gate(gate, TRIAL, '', nil)
end

-- Where it was closed for a while the rate grows in steps, and what waits only because the sink failed is due.
local function open_gate(gate, route, cause, by)
  write_history(gate.queue, 'opened', cause, route, by)
  note_gate_fact('sink_opened', gate, route, cause, by)
  for kind = 1, #GATE.sink do set_gate(gate, kind, route, nil) end
  if route ~= '' then return end
  call('HDEL', gate.key, 'since', 'reason', 'breaker')
  if gate.fields.breaker or now - (gate.fields.since or now) >= gating.RAMP_AFTER_MS then
    call('HSET', gate.key, 'ramp', now, 'advance', 0)
    gate.fields.since, gate.fields.breaker, gate.fields.ramp, gate.fields.advance = nil, nil, now, 0
    opened[gate.queue] = true
    call('DEL', P .. 'window:' .. gate.queue)
  end
end

local function end_pause(gate, cause, by)
  write_history(gate.queue, 'resumed', cause, '', by)
  for _, name in ipairs({'paused', 'paused_since', 'paused_until', 'paused_by', 'paused_why'}) do
    call('HDEL', gate.key, name)
    gate.fields[name] = nil
  end
end

-- Ends a pause whose end has come. Returns until when it lasts, where it has an end.
local function end_pause_in_time(gate)
  local paused_until = tonumber(gate.fields.paused_until)
  if paused_until and paused_until <= now then end_pause(gate, 'its end has come') end
  return paused_until
end

-- Opening a gate, the release before this one (commit b42e45f) leaves what it does not know. Goes with the next release.
local function forget_rest(gate)
  for name in pairs(gate.fields) do
    local kind, route = string.match(name, '^(%l+):(.*)$')
    local of_route = (kind == 'trial' or kind == 'tried') and not gate.fields['route:' .. route]
    local of_sink = (name == 'trial' or name == 'tried' or name == 'breaker') and not gate.fields['until']
    if of_route or of_sink then
      call('HDEL', gate.key, name)
      gate.fields[name] = nil
    end
  end
end

-- Returns the gates of a queue. That of a route is forgotten when for long nothing of the route came that might be tried.
local function read_gate(queue)
  local gate = {queue = queue, key = P .. 'gate:' .. queue, fields = {}}
  local flat = call('HGETALL', gate.key)
  for i = 1, #flat, 2 do gate.fields[flat[i]] = flat[i + 1] end
  forget_rest(gate)
  for i = 1, #flat, 2 do
    local route = string.match(flat[i], '^route:(.*)$')
    if route and tonumber(flat[i + 1]) < now - gating.FORGOTTEN_MS then
      open_gate(gate, route, 'nothing of the route came that might be tried')
    end
  end
  return gate
end

-- The name under which the openings of a gate are counted by deliveries that arrived.
local function openings_of(queue, route)
  return route == '' and queue or queue .. '|' .. route
end

-- Ends a trial. One that says nothing about the gate is followed by another at once.
local function end_trial(gate, route, id, outcome, reason, asked_ms)
  if get_gate(gate, TRIAL, route) ~= id then return end
  if outcome == 'throttled' or outcome == 'blocked' then
    set_gate(gate, UNTIL, route, now)
    set_gate(gate, TRIAL, route, nil)
    return
  end
  if route == '' and gate.fields.breaker and gate.breaker and (outcome == 'retry' or outcome == 'unknown') then
    return stay_tripped(gate, reason, asked_ms)
  end
  open_gate(gate, route, 'a trial came to: ' .. outcome)
  if outcome == 'delivered' then call('HINCRBY', P .. 'openings', openings_of(gate.queue, route), 1) end
end

-- What a delivery remembers that was blocked: how often its gate had been opened by then.
local function blocked_mark(queue, route)
  return (call('HGET', P .. 'openings', openings_of(queue, route)) or 0) .. '|' .. route
end

-- Returns whether another delivery arrived after one was blocked: then the fault is this one's, not the sink's.
local function is_at_fault(queue, mark)
  local before, route = string.match(mark, '^(%d+)|(.*)$')
  return tonumber(call('HGET', P .. 'openings', openings_of(queue, route)) or 0) > tonumber(before)
end
