#!lua flags=allow-oom
-- Disables a subscription, or enables it again. What waits for it is kept, and leaves when it is enabled.
-- With `over` > 0 a failure is recorded, and disables where there were more than so many within `per_ms`.
-- req: {id, disabled, reason, active, over, per_ms}.
-- Answers '' (done), 'same' (it was so already), 'gone', 'recorded' (a failure that disables nothing), or 'active' (the
-- limit of active subscriptions is reached).
local source, url = string.match(call('HGET', shared, 'id:' .. req.id) or '', '^(%S+) (.+)$')
if not source then return cmsgpack.pack('gone') end
local record = cmsgpack.unpack(call('HGET', records_of(source), url))
if record.disabled == req.disabled then return cmsgpack.pack('same') end

-- The list holds one more time than may be: where its oldest is within the window, there were too many.
local function too_many_failures()
  local failures = P .. 'failures:' .. req.id
  call('RPUSH', failures, now)
  call('LTRIM', failures, -(req.over + 1), -1)
  call('PEXPIRE', failures, req.per_ms)
  return call('LLEN', failures) > req.over and tonumber(call('LINDEX', failures, 0)) > now - req.per_ms
end

if req.over > 0 and not too_many_failures() then return cmsgpack.pack('recorded') end
if not req.disabled then
  local _, active = count_subscriptions(source)
  if active >= req.active then return cmsgpack.pack('active') end
end
record.disabled, record.disabled_reason = req.disabled, req.reason
save_subscription(record)
if req.disabled then pause_queue(req.id, req.reason) else resume_queue(req.id) end
return cmsgpack.pack('')
