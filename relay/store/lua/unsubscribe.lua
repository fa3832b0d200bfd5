#!lua flags=allow-oom
-- Takes events from one subscription, or without an address from all that `by` made; one without events is removed.
-- req: {source, url ('': all), events (none: every one), by}. Answers the addresses that were subscribed, without an
-- address those that lost an event.
local removed_events = {}
for _, event in ipairs(req.events) do removed_events[event] = true end

local function remaining_events(record)
  local remaining = {}
  for _, event in ipairs(#req.events > 0 and record.events or {}) do
    if not removed_events[event] then remaining[#remaining + 1] = event end
  end
  return remaining
end

local function remove_subscription(record)
  call('HDEL', records_of(record.source), record.url)
  call('HDEL', shared, 'id:' .. record.id)
  call('HINCRBY', shared, 'version', 1)
  resume_queue(record.id)  -- the next drainer finds that the subscription is gone, and skips what waits
end

local function take_events(record, remaining)
  if #remaining == 0 then return remove_subscription(record) end
  record.events = remaining
  save_subscription(record)
end

local records = records_of(req.source)
local urls = {}
for _, packed in ipairs(req.url == '' and call('HVALS', records) or call('HMGET', records, req.url)) do
  local record = packed and cmsgpack.unpack(packed)
  if record and (req.url ~= '' or record.created_by == req.by) then
    local remaining = remaining_events(record)
    local changed = #remaining < #record.events
    if changed then take_events(record, remaining) end
    if changed or req.url ~= '' then urls[#urls + 1] = record.url end
  end
end
return cmsgpack.pack(urls)
