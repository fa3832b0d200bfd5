-- Makes a subscription, or changes the one that its source has for this address; a disabled one is turned on again.
-- req: {source, url, name, events, replace, sort, by, active, total}. Answers {what limit stands in the way or '', record}.
-- No allow-oom: a full store must refuse here.
local index, records = P .. 'subscriptions', P .. 'subscriptions:' .. req.source

local function limit_met(known)
  local on, all = 0, 0
  for _, packed in ipairs(call('HVALS', records)) do
    all = all + 1
    if not cmsgpack.unpack(packed).disabled then on = on + 1 end
  end
  if on >= req.active then return 'active' end
  return not known and all >= req.total and 'total'
end

local function made()
  local id = call('HINCRBY', index, 'last', 1)
  call('HSET', index, 'id:' .. id, req.source .. ' ' .. req.url)
  return {id = id, source = req.source, url = req.url, name = '', events = {}, created_at = now, created_by = req.by, sort = 0}
end

local function united(first, second)
  local seen, all = {}, {}
  for _, events in ipairs({first, second}) do
    for _, event in ipairs(events) do
      if not seen[event] then all[#all + 1] = event end
      seen[event] = true
    end
  end
  return all
end

local packed = call('HGET', records, req.url)
local record = packed and cmsgpack.unpack(packed)
local met = (not record or record.disabled) and limit_met(record)
if met then return cmsgpack.pack({met, false}) end
record = record or made()
record.events = united(req.replace and {} or record.events, req.events)
if req.name ~= '' then record.name = req.name end
if req.sort then record.sort = req.sort end
if record.disabled then open_subscriber(record.id) end
record.disabled, record.disabled_reason, record.updated_at = false, '', now
call('HSET', records, req.url, cmsgpack.pack(record))
call('HINCRBY', index, 'version', 1)
return cmsgpack.pack({'', record})
