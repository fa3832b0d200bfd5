-- Makes a subscription, or changes the one that its source has for this address; a disabled one is enabled again.
-- req: {source, url, name, events, replace, sort, by, active, total, id: what the first shard has given out, 0: it is this
-- one}.
-- Answers {the limit that is reached ('active' or 'total') or '', the record or false}.
-- No allow-oom: a full store must refuse here.
local function reached_limit(record)
  local all, active = count_subscriptions(req.source)
  if active >= req.active then return 'active' end
  return not record and all >= req.total and 'total'
end

local function new_subscription()
  local id = req.id > 0 and req.id or call('HINCRBY', shared, 'last', 1)
  call('HSET', shared, 'id:' .. id, req.source .. ' ' .. req.url)
  local record = {id = id, source = req.source, url = req.url, created_at = now, created_by = req.by}
  record.name, record.events, record.sort = '', {}, 0
  return record
end

local function union(first, second)
  local seen, all = {}, {}
  for _, events in ipairs({first, second}) do
    for _, event in ipairs(events) do
      if not seen[event] then all[#all + 1] = event end
      seen[event] = true
    end
  end
  return all
end

local packed = call('HGET', records_of(req.source), req.url)
local record = packed and cmsgpack.unpack(packed)
local limit = (not record or record.disabled) and reached_limit(record)
if limit then return cmsgpack.pack({limit, false}) end
record = record or new_subscription()
record.events = union(req.replace and {} or record.events, req.events)
if req.name ~= '' then record.name = req.name end
if req.sort then record.sort = req.sort end
if record.disabled then resume_queue(record.id) end
record.disabled, record.disabled_reason = false, ''
save_subscription(record)
return cmsgpack.pack({'', record})
