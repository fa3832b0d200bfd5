#!lua flags=allow-oom
-- Disables a subscription, or turns it on again. req: {id, disabled, reason, active}.
-- Answers '' (it is so now), 'same' (it was already), 'gone', or 'active' (as many are on as may be).
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

if not req.disabled and on() >= req.active then return cmsgpack.pack('active') end
record.disabled, record.disabled_reason, record.updated_at = req.disabled, req.reason, now
call('HSET', records, url, cmsgpack.pack(record))
call('HINCRBY', index, 'version', 1)
return cmsgpack.pack('')
