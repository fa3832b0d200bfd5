-- The breaker: it closes the gate of a sink where of the attempts of the last minute a share fails that says that the
-- sink is unwell. Then single trials decide, ever more seldom (_gates.lua). What is refused (rejected) is an answer.
local SHARE, MINIMUM, WINDOW_MS = 1, 2, 3  -- places in a model.Breaker
local UNWELL = {retry = true, unknown = true}  -- outcomes that count against the sink
local WELL = {delivered = true, rejected = true}

-- Slots are called by when they begin, so that another length of the window makes none of them older.
local function count_window(queue, window_ms, well, unwell)
  local SLOTS_OF_WINDOW = 6
  local window, slot_ms = P .. 'window:' .. queue, window_ms / SLOTS_OF_WINDOW
  local slot = math.floor(math.floor(now / slot_ms) * slot_ms)
  local new_slot = well > 0 and call('HINCRBY', window, 'good:' .. slot, well) == well
  new_slot = unwell > 0 and call('HINCRBY', window, 'failed:' .. slot, unwell) == unwell or new_slot
  if new_slot then
    remove_old_slots(window, slot, window_ms)
    call('PEXPIRE', window, window_ms)
  end
end

-- Returns how many attempts there were in the window, and how many of them failed.
local function read_window(queue)
  local attempts, failed = 0, 0
  local flat = call('HGETALL', P .. 'window:' .. queue)
  for i = 1, #flat, 2 do
    attempts = attempts + flat[i + 1]
    if string.match(flat[i], '^failed:') then failed = failed + flat[i + 1] end
  end
  return attempts, failed
end

-- Returns a duration as the configuration writes it.
local function describe_ms(ms)
  for _, unit in ipairs({{'h', 3600000}, {'m', 60000}, {'s', 1000}}) do
    if ms % unit[2] == 0 then return ms / unit[2] .. unit[1] end
  end
  return ms .. 'ms'
end

-- Counts what attempts came to, and closes the gate where too many failed; `reason` is that of the last that did, and
-- `asked_ms` how long that asked us to wait.
-- Returns whether it has.
local function watch(gate, well, unwell, reason, asked_ms)
  local breaker = gate.breaker
  if well + unwell == 0 or not breaker then return end
  count_window(gate.queue, breaker[WINDOW_MS], well, unwell)
  if unwell == 0 or gate.fields['until'] then return end
  local attempts, failed = read_window(gate.queue)
  if attempts < breaker[MINIMUM] or failed < attempts * breaker[SHARE] then return end
  local window = describe_ms(breaker[WINDOW_MS])
  trip(gate, failed .. ' of ' .. attempts .. ' attempts failed within ' .. window .. ', the last: ' .. reason, asked_ms)
  call('DEL', P .. 'window:' .. gate.queue)
  return true
end
