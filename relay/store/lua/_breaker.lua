-- The breaker: it closes the gate of a sink where of the attempts of the last minute a share fails that says that the
-- sink is unwell. Then single trials decide, ever more seldom (_gates.lua). What is refused (rejected) is an answer.
local WINDOW_SLOT_MS, WINDOW_SLOTS = 10000, 6
local MIN_ATTEMPTS, SHARE = 10, 0.5
local UNWELL = {retry = true, unknown = true}  -- outcomes
local WELL = {delivered = true, rejected = true}

-- A subscription is disabled by rules of its own, and an account's look-ups have the account's limit.
local function has_breaker(queue) return string.match(queue, '^sink:') and not string.match(queue, '^sink:sub%-%d+$') end

local function count_window(queue, well, unwell)
  local window, slot = P .. 'window:' .. queue, math.floor(now / WINDOW_SLOT_MS)
  local new_slot = well > 0 and call('HINCRBY', window, 'good:' .. slot, well) == well
  new_slot = unwell > 0 and call('HINCRBY', window, 'failed:' .. slot, unwell) == unwell or new_slot
  if new_slot then
    remove_old_slots(window, slot, WINDOW_SLOTS)
    call('PEXPIRE', window, WINDOW_SLOT_MS * WINDOW_SLOTS)
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

-- Counts what attempts came to, and closes the gate where too many failed; `reason` is that of the last that did.
-- Returns whether it has.
local function watch(gate, well, unwell, reason)
  if well + unwell == 0 or not has_breaker(gate.queue) then return end
  count_window(gate.queue, well, unwell)
  if unwell == 0 or gate.fields['until'] then return end
  local attempts, failed = read_window(gate.queue)
  if attempts < MIN_ATTEMPTS or failed < attempts * SHARE then return end
  trip(gate, failed .. ' of ' .. attempts .. ' attempts failed within a minute, the last: ' .. reason)
  call('DEL', P .. 'window:' .. gate.queue)
  return true
end
