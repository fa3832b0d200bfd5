-- Limits: at most `count` grants in any window of `per_ms`. A list holds the times of the last `count` grants; more of
-- them where `count` was lowered since, and the oldest of those do not matter any more.

-- How many grants a limit still has, up to `needed`; where that is fewer, also when it has the next one.
local function free_grants(limit, needed)
  local key, count, per_ms = unpack(limit)
  local grants = P .. 'grants:' .. key
  local length = call('LLEN', grants)
  local surplus = math.max(length - count, 0)
  local free = count - length + surplus
  if free >= needed then return free end
  for _, at in ipairs(call('LRANGE', grants, surplus, surplus + needed - free - 1)) do
    if tonumber(at) > now - per_ms then return free, tonumber(at) + per_ms end
    free = free + 1
  end
  return free
end

local function take_grants(limit, n)
  local key, count, per_ms = unpack(limit)
  local grants = P .. 'grants:' .. key
  local times = {}
  for i = 1, n do times[i] = now end
  if call('RPUSH', grants, unpack(times)) > count then call('LTRIM', grants, -count, -1) end
  call('PEXPIRE', grants, per_ms)
end

-- Keeps a grant for a moment that is to come. It may be given back, so nothing is cut off the list: what is surplus does
-- not matter while this is in it.
local function reserve_grant(limit, at)
  local key, _, per_ms = unpack(limit)
  call('RPUSH', P .. 'grants:' .. key, at)
  call('PEXPIRE', P .. 'grants:' .. key, per_ms + at - now)
end

-- Gives back `n` grants of the moment `at`: what they were taken for has not started.
local function return_grants(limit, n, at)
  local key = unpack(limit, 1, 1)
  call('LREM', P .. 'grants:' .. key, -n, at)
end
