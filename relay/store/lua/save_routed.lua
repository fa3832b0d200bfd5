#!lua flags=allow-oom
-- Writes what became of receipts: their events and deliveries. A receipt leaves the inbox with its last part; ids are
-- deterministic, so a repeated part changes nothing. Under a stale token nothing is written: the newer lease does it.
-- What is due of that at once is claimed in the same call where the caller has drainers for it.
-- req: {token, receipts = {routing.RoutedRow…}, claims = {claims.ClaimRequest…}, most_pending = {sink = n…}};
-- blobs: bodies and contents, numbered in the rows. Answers a routing.RoutedReply. No bell: the caller
-- begins with the queues that have work.
local HANDED = 'handed'  -- in place of a token: what was handed over has none
local quiet = false

local function save(receipt, names, values)
  local _, source, accepted_at, open, deaths = unpack(values)
  local receipt_fields, opened = save_part(receipt, names, values)
  open = open + opened
  local record = P .. 'r:' .. receipt.id
  if receipt.last then
    list_by_state(receipt, source, accepted_at)
    open = open - 1
    if deaths then call('HDEL', record, 'died', 'alone') end  -- it was not what killed them
    -- Nobody holds it any more. Its token goes first: what comes behind it takes its place in memory.
    call('HSET', record, 'tok', '', 'open', open, unpack(receipt_fields))
  else
    call('HSET', record, 'open', open, unpack(receipt_fields))
  end
  if open <= 0 then finish_receipt(receipt.id) end
end

-- Whether a claim of a queue may be carried out here: nothing else is due in it, no lease has run out, and no gate is
-- closed, growing or paused. Returns how many leases count, where none of it stands in the way.
local function count_leases(request, due, leased)
  if #request.unheard > 0 then return nil end
  if quiet then return 0 end
  if call('EXISTS', P .. 'gate:' .. request.queue, P .. 'ahead:' .. request.queue) > 0 then return nil end
  local first_due, first_leased = first_score(due), first_score(leased)
  if (first_due and first_due <= now) or (first_leased and first_leased <= now) then return nil end
  return call('ZCARD', leased)
end

-- Returns how many may be taken beside so many that are held, as any claim of an open gate does.
local function made_slots(request, held)
  local slots = request.concurrency > 0 and math.min(request.max, request.concurrency - held) or request.max
  for _, limit in ipairs(request.limits) do
    if slots > 0 then slots = math.min(slots, (free_grants(limit, slots))) end
  end
  return slots
end

local function write_token(id, token)
  if records[id] then add(records[id], 'tok', token) else call('HSET', P .. 'd:' .. id, 'tok', token) end
end

-- Takes what was made for a sink under a lease, before it is written as due; under the limits of any other claim. What is
-- to go in a batch, or has anything else in its way, is left to the claim that its drainer makes. Returns the ids of what it took.
local function claim_made(request)
  local made, due, leased = queues[request.queue], P .. 'due:' .. request.queue, P .. 'leased:' .. request.queue
  if not made or (request.batch > 1 and #made / 2 >= request.batch_from) then return {} end
  local held = count_leases(request, due, leased)
  local slots = held and made_slots(request, held) or 0
  local ids, leases, rest = {}, {}, {}
  for i = 2, #made, 2 do
    local id = made[i]
    if #ids < slots then
      ids[#ids + 1] = id
      add(leases, now + request.lease_ms, id)
      write_token(id, request.token)
    else
      add(rest, now, id)
    end
  end
  if #ids == 0 then return {} end
  call('ZADD', leased, unpack(leases))
  for _, limit in ipairs(request.limits) do take_grants(limit, #ids) end
  queues[request.queue] = #rest > 0 and rest or nil
  wake(request.queue, now + request.lease_ms)
  return ids
end

local function routed_reply(queues, stale, claimed, store_ms) return {queues, stale, claimed, store_ms} end

-- Takes the receipts of last parts out of the inbox, whose records have the token. A lease that ran out has been taken
-- back: such a receipt is due again, or quarantined, and stays so. Returns which of all that is, by their ids.
local function leave_inbox(receipts)
  local ended, stay = {}, {}
  for _, receipt in ipairs(receipts) do
    if receipt.last then
      ended[#ended + 1] = receipt.id
    elseif not call('ZSCORE', P .. 'leased:inbox', receipt.id) then
      stay[receipt.id] = true
    end
  end
  if #ended > 0 and call('ZREM', P .. 'leased:inbox', unpack(ended)) < #ended then
    local due = call('ZMSCORE', P .. 'due:inbox', unpack(ended))
    for i, id in ipairs(ended) do
      stay[id] = due[i] and true or call('HGET', P .. 'r:' .. id, 'state') ~= 'accepted' or nil
    end
  end
  return stay
end

-- Whether nothing else is in the inbox, nor of the sinks for which there are claims: that is asked once.
local function is_quiet()
  local keys = {P .. 'due:inbox', P .. 'leased:inbox'}
  for _, request in ipairs(req.claims) do
    local queue = request.queue
    add(keys, P .. 'due:' .. queue, P .. 'leased:' .. queue)
    add(keys, P .. 'gate:' .. queue, P .. 'pending:' .. string.gsub(queue, '^sink:', ''))
  end
  return call('EXISTS', unpack(keys)) == 0
end

local held, values_of, names_of, stale = {}, {}, {}, {}
for _, receipt in ipairs(req.receipts) do
  local names = receipt_field_names(receipt)
  local values = call('HMGET', P .. 'r:' .. receipt.id, unpack(names))
  names_of[receipt], values_of[receipt] = names, values
  if (values[1] or HANDED) == req.token then held[#held + 1] = receipt end
end
local stay = leave_inbox(held)
quiet = is_quiet()
for sink, most in pairs(quiet and req.most_pending or {}) do room[sink] = most end
local saved = {}
for _, receipt in ipairs(req.receipts) do
  local names, values = names_of[receipt], values_of[receipt]
  -- A part before this one, of the same receipt, has changed what was read.
  if saved[receipt.id] then values = call('HMGET', P .. 'r:' .. receipt.id, unpack(names)) end
  if (values[1] or HANDED) == req.token and not stay[receipt.id] then
    save(receipt, names, values)
    saved[receipt.id] = true
  else
    stale[#stale + 1] = receipt.id
  end
end
if quiet then call('ZREM', P .. 'wake', 'inbox') else update_wake('inbox') end
place_keyed()
local claimed = {}
for i, request in ipairs(req.claims) do claimed[i] = claim_made(request) end
local with_work = write_queues()
write_collected()
return cmsgpack.pack(routed_reply(with_work, stale, claimed, now))
