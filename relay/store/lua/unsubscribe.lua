#!lua flags=allow-oom
-- Takes events from one subscription, or without an address from all that `by` made; one that has none left is gone.
-- req: {source, url ('': all), events (none: every one), by}. Answers the addresses that it was about.
local index, records = P .. 'subscriptions', P .. 'subscriptions:' .. req.source
local unwanted = {}
for _, event in ipairs(req.events) do unwanted[event] = true end

local function left_of(record)
  local left = {}
  for _, event in ipairs(#req.events > 0 and record.events or {}) do
    if not unwanted[event] then left[#left + 1] = event end
  end
  return left
end

local function write(record, left)
  call('HINCRBY', index, 'version', 1)
  if #left == 0 then
    call('HDEL', records, record.url)
    call('HDEL', index, 'id:' .. record.id)
    open_subscriber(record.id)  -- who looks at its queue next finds it gone, and skips what waits there
  else
    record.events, record.updated_at = left, now
    call('HSET', records, record.url, cmsgpack.pack(record))
  end
end

local found = {}
for _, packed in ipairs(req.url == '' and call('HVALS', records) or call('HMGET', records, req.url)) do
  local record = packed and cmsgpack.unpack(packed)
  if record and (req.url ~= '' or record.created_by == req.by) then
    local left = left_of(record)
    local changed = #left < #record.events
    if changed then write(record, left) end
    if changed or req.url ~= '' then found[#found + 1] = record.url end
  end
end
return cmsgpack.pack(found)
