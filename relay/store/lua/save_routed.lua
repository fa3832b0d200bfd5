#!lua flags=allow-oom
-- Writes what became of receipts: their events and deliveries. A receipt leaves the inbox with its last part; ids are
-- deterministic, so a repeated part changes nothing. Under a stale token nothing is written: the newer lease does it.
-- req: {token, receipts = {wire.RoutedRow…}}; blobs: bodies and contents, numbered in the rows.
-- Answers {{queues that have work now…}, {receipts of stale tokens…}}. No bell: the caller begins with these at once.
local left_inbox = {}

local function save(receipt, names, values)
  local _, source, accepted_at, open, deaths = unpack(values)
  local receipt_fields, opened = save_part(receipt, names, values)
  open = open + opened
  if receipt.last then
    list_by_state(receipt, source, accepted_at)
    left_inbox[#left_inbox + 1] = receipt.id
    open = open - 1
    add(receipt_fields, 'tok', '')  -- nobody holds it any more
    if deaths then call('HDEL', P .. 'r:' .. receipt.id, 'died', 'alone') end  -- it was not what killed them
  end
  call('HSET', P .. 'r:' .. receipt.id, 'open', open, unpack(receipt_fields))
  if open <= 0 then finish_receipt(receipt.id) end
end

local ids, stale = {}, {}
for i, receipt in ipairs(req.receipts) do ids[i] = receipt.id end
local leases = call('ZMSCORE', P .. 'leased:inbox', unpack(ids))
for i, receipt in ipairs(req.receipts) do
  local names = receipt_field_names(receipt)
  local values = leases[i] and call('HMGET', P .. 'r:' .. receipt.id, unpack(names))
  if values and values[1] == req.token then save(receipt, names, values) else stale[#stale + 1] = receipt.id end
end
if #left_inbox > 0 then call('ZREM', P .. 'leased:inbox', unpack(left_inbox)) end
update_wake('inbox')
local with_work = write_queues()
write_collected()
return cmsgpack.pack({with_work, stale})
