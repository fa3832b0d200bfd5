-- Subscriptions: a record for each address of a source, and the queue of each one's sink.
local shared = P .. 'subscriptions'

local function records_of(source) return P .. 'subscriptions:' .. source end

-- Returns how many subscriptions a source has, and how many of them are not disabled.
local function count_subscriptions(source)
  local all, active = 0, 0
  for _, packed in ipairs(call('HVALS', records_of(source))) do
    all = all + 1
    if not cmsgpack.unpack(packed).disabled then active = active + 1 end
  end
  return all, active
end

local function save_subscription(record)
  record.updated_at = now
  call('HSET', records_of(record.source), record.url, cmsgpack.pack(record))
  call('HINCRBY', shared, 'version', 1)
end

-- While a subscription is disabled nothing leaves its queue, and nobody looks at it.
local function pause_queue(id, reason)
  call('HSET', P .. 'gate:sink:sub-' .. id, 'paused', 1, 'paused_since', now, 'paused_why', reason)
  call('HDEL', P .. 'gate:sink:sub-' .. id, 'paused_by', 'paused_until')  -- of a person's pause, which this replaces
  write_history('sink:sub-' .. id, 'paused', reason)
end

local function resume_queue(id)
  call('DEL', P .. 'failures:' .. id)
  if call('HDEL', P .. 'gate:sink:sub-' .. id, 'paused', 'paused_since', 'paused_why') > 0 then
    write_history('sink:sub-' .. id, 'resumed', 'it is not disabled any more')
  end
  update_wake('sink:sub-' .. id)
end
