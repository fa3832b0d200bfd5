-- Finished receipts that are packed, each with all that belongs to it, into one value (relay/store/packing.py). Scripts read
-- its index and its people; the records in it are compressed.

-- Returns the index, the people and the records of a packed receipt, each as it stands there; nil where it is not packed.
local function split_packed(receipt)
  local value = call('GET', P .. 'p:' .. receipt)
  if not value then return nil end
  local n, m, at = string.match(value, '^1|(%d+)|(%d+)|()')
  return string.sub(value, at, at + n - 1), string.sub(value, at + n, at + n + m - 1), string.sub(value, at + n + m)
end

-- Returns what lists read of a packed receipt; nil where it is not packed.
local function read_packed(receipt)
  local value = call('GET', P .. 'p:' .. receipt)
  if not value then return nil end
  local n, at = string.match(value, '^1|(%d+)|%d+|()')
  local index_row = cmsgpack.unpack(string.sub(value, at, at + n - 1))
  local source, accepted_at, size, state, reason, recovered, events, deliveries, others = unpack(index_row)
  return {source = source, accepted_at = accepted_at, size = size, state = state, reason = reason,
    recovered = recovered, events = events, deliveries = deliveries, others = others}
end

-- Whether there is a receipt, packed or not.
local function has_receipt(receipt) return call('EXISTS', P .. 'r:' .. receipt, P .. 'p:' .. receipt) > 0 end

-- Whether a delivery is packed, with its receipt.
local function is_packed(delivery)
  local receipt = call('GET', P .. 'in:' .. delivery)
  return receipt and call('EXISTS', P .. 'p:' .. receipt) == 1
end

-- What was read of packed receipts; false: not packed.
local packed_before = {}
local function find_packed(receipt)
  if packed_before[receipt] == nil then packed_before[receipt] = read_packed(receipt) or false end
  return packed_before[receipt]
end

-- Returns the facts that the deliveries of a packed receipt led to, as each names them.
local function read_led(receipt)
  local found = {}
  for _, row in ipairs(find_packed(receipt).deliveries) do
    local _, _, _, _, _, _, _, led = unpack(row)
    found[#found + 1] = led
  end
  return found
end

-- Returns of a packed delivery its event, source, sink, state, when its receipt arrived, route and reason; nil where it is
-- not packed.
local function read_packed_delivery(wanted)
  local receipt = call('GET', P .. 'in:' .. wanted)
  local packed = receipt and find_packed(receipt)
  for _, row in ipairs(packed and packed.deliveries or {}) do
    local index, id, own_index, sink, route, state, reason = unpack(row)
    if id == wanted then
      return receipt .. '.' .. own_index, packed.source, sink, state, packed.accepted_at, route, reason
    end
  end
end
