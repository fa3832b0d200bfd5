#!lua flags=allow-oom
-- Marks that the bytes of deliveries are about to leave, where a repeat may do harm: a worker that finds the mark of an
-- attempt that was cut off does not just send. req: {items = {claims.LeaseRow…}}.
-- Answers for each whether its bytes may leave: its token still holds the lease, and nobody asked to cancel it.
local function mark(item)
  local id, token = unpack(item)
  local record = P .. 'd:' .. id
  local fields = call('HMGET', record, 'tok', 'state', 'sink', 'sends', 'cancel', 'ev', 'keyed')
  local current_token, state, sink, sends, cancel, event, keyed = unpack(fields)
  if current_token ~= token or state ~= 'pending' then return false end
  -- The next moment another worker may take what is under an expired lease, and the mark would stop it.
  local lease_ends = call('ZSCORE', P .. 'leased:sink:' .. sink, id)
  if not lease_ends or tonumber(lease_ends) <= now then return false end
  if cancel then
    call('ZREM', P .. 'leased:sink:' .. sink, id)
    call('ZREM', P .. 'ahead:sink:' .. sink, id)
    cancel_in_flight(id, sink, event, cancel .. '; nothing of the attempt that was out has left', keyed)
    update_wake('sink:' .. sink)
    return false
  end
  call('HSET', record, 'send', now, 'mark', token, 'sends', (sends or 0) + 1)
  return true
end

local answers = {}
for i, item in ipairs(req.items) do answers[i] = mark(item) end
write_collected()
return cmsgpack.pack(answers)
