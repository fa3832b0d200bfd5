#!lua flags=allow-oom
-- Disables a subscription, or turns it on again. What waits for it is kept, and leaves when it is on again.
-- With `over` > 0 a failure is noted, and disables where there were more than so many within `per_ms`.
-- req: {id, disabled, reason, active, over, per_ms}.
-- Answers '' (it is so now), 'same' (it was already), 'gone', 'noted', or 'active' (as many are on as may be).
local index = P .. 'subscriptions'
local source, url = string.match(call('HGET', index, 'id:' .. req.id) or '', '^(%S+) (.+)$')
if not source then return cmsgpack.pack('gone') end
local records = P .. 'subscriptions:' .. source
local record = cmsgpack.unpack(call('HGET', records, url))
if record.disabled == req.disabled then return cmsgpack.pack('same') end

local function on()
  local n = 0
  for _, packed in ipairs(call('HVALS', records)) do
    if not cmsgpack.unpack(packed).disabled then n = n + 1 end
  end
  return n
end

-- The last failures' times are enough of a sliding window: the oldest of them is in it, or there were not too many.
local function too_many()
  local failures = P .. 'failures:' .. req.id
  call('RPUSH', failures, now)
  call('LTRIM', failures, -(req.over + 1), -1)
  call('PEXPIRE', failures, req.per_ms)
  return call('LLEN', failures) > req.over and tonumber(call('LINDEX', failures, 0)) > now - req.per_ms
end

if req.over > 0 and not too_many() then return cmsgpack.pack('noted') end
if not req.disabled and on() >= req.active then return cmsgpack.pack('active') end
record.disabled, record.disabled_reason, record.updated_at = req.disabled, req.reason, now
call('HSET', records, url, cmsgpack.pack(record))
call('HINCRBY', index, 'version', 1)
if req.disabled then close_subscriber(req.id, req.reason) else open_subscriber(req.id) end
return cmsgpack.pack('')
