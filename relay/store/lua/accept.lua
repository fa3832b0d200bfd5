-- Stores a group of hooks, each whole or as a duplicate of one that is stored.
-- req: {duplicate_ms, hooks = {hooks.HookRow…}, answered_late = {records.LateAnswer…}}; blobs: their bodies.
-- Answers {whether the inbox's bell was set: the caller publishes it, {{receipt id, whether the hook is a duplicate of
-- it}…}, {late answers of which nothing is known…}}. A receipt's id is empty where the hook's source is another shard's.
-- No allow-oom: a full store must refuse here.
local REMEMBERED = 8  -- receipts with one body
local OVERTAKEN_MS = 600000  -- a call that was given up is not carried out later than that
local MOST_HANDED, MOST_HANDED_BYTES = 4, 8192  -- what a worker plans on its loop: workers/planning_on_loop.py
local HANDED_MS = 500  -- a lease of what is handed over

-- The key of a receipt's record, or of what retention left of it.
local function find_record(id)
  local record = P .. 'r:' .. id
  return call('EXISTS', record) == 1 and record or P .. 'retired:' .. id
end

-- Returns the receipt that a hook repeats, of those with its body: {id, request id} a line. One counts only where it was
-- there, and for `duplicate_ms` from its arrival. That an answer left late accounts for one repetition: whoever sends the
-- same bytes once more means another fact.
local function repeated_receipt(hook, timed, request_id, remembered)
  local answered_late
  for id, first_request_id in string.gmatch(remembered, '(%S+) ([^\n]*)\n') do
    local at, late, repeated_by = unpack(call('HMGET', find_record(id), 'at', 'late', 'rep'))
    if at and now - at < req.duplicate_ms then
      if timed or (first_request_id ~= '' and first_request_id == request_id) then return id end
      if repeated_by == hook then return id end  -- by an earlier call, whose answer was lost
      if late then answered_late = id end  -- the oldest is repeated first
    end
  end
  if not answered_late then return nil end
  call('HDEL', find_record(answered_late), 'late')
  call('HSET', find_record(answered_late), 'rep', hook)
  return answered_late
end

-- Marks that a hook will be sent again, where that says anything still. Returns whether anything is known of it.
local function mark_late(id, source, digest)
  local at = call('HGET', find_record(id), 'at')
  if at then
    if now - at < req.duplicate_ms then call('HSET', find_record(id), 'late', '1') end
    return true
  end
  if has_receipt(id) then return true end
  local remembered = digest ~= '' and call('GET', P .. 'dup:' .. source .. ':' .. digest) or ''
  for first in string.gmatch(remembered, '(%S+) [^\n]*\n') do
    if call('HGET', find_record(first), 'rep') == id then
      call('HSET', find_record(first), 'late', '1')
      return true
    end
  end
  return false
end

local function newest_lines(remembered)
  local lines, n = {}, 0
  for line in string.gmatch(remembered, '[^\n]*\n') do
    n = n + 1
    if n < REMEMBERED then lines[n] = line end
  end
  return table.concat(lines)
end

-- Of this group: ids with their scores; what is remembered of a body, by its key; these keys in order.
local inbox, remembered_now, remembered_keys = {}, {}, {}
local stored_hooks, stored_bodies = {}, {}
local heard = {}  -- the sources that sent a hook themselves

local function store(hook, body, key, remembered)
  local id, source, _, timed, request_id, content_type, user_agent, recovered, content_encoding, trace = unpack(hook)
  local record = P .. 'r:' .. id
  call('SET', P .. 'b:' .. id, body)
  call('HSET', record, 'src', source, 'at', now, 'size', #body, 'state', 'accepted', 'open', 1, 'ct', content_type,
    'ua', user_agent, 'rq', request_id)
  if recovered then call('HSET', record, 'rec', 1) end
  if content_encoding ~= '' then call('HSET', record, 'ce', content_encoding) end
  if trace ~= '' then call('HSET', record, 'trace', trace) end
  inbox[#inbox + 1] = now
  inbox[#inbox + 1] = id
  stored_hooks[#stored_hooks + 1], stored_bodies[#stored_bodies + 1] = hook, body
  if not remembered_now[key] then remembered_keys[#remembered_keys + 1] = key end
  -- Of a body with a change time the bytes alone tell.
  remembered_now[key] = id .. ' ' .. (timed and '' or request_id) .. '\n' .. newest_lines(remembered)
  count('receipt|' .. source .. (recovered and '|recovered' or '|accepted'))
  count('bytes|' .. source, #body)
end

-- A hook that nobody knows to be stored may be overtaken by its repetition: its call is carried out later. Then it is a
-- duplicate of the receipt that came in its place.
local function note_overtaken(id, receipt)
  if id ~= receipt then call('SET', P .. 'overtaken:' .. id, receipt, 'PX', OVERTAKEN_MS) end
end

-- Ids are in the order of time: what is remembered and greater came after it, to another process maybe.
local function note_unknown(unknown, id, key)
  unknown[key] = unknown[key] or {}
  table.insert(unknown[key], id)
  local newest = string.match(call('GET', key) or '', '^(%S+) ')
  if newest and newest > id then note_overtaken(id, newest) end
end

local function body_key(hook) return P .. 'dup:' .. hook[2] .. ':' .. hook[3] end

-- Returns for each hook of the group the receipt that came in its place, or false; what is remembered of each body, by
-- its key; the hooks that earlier calls stored, whose answers were lost: each has its body, or is packed; and the sources
-- that the shard owns, a line each, false where it is the only one.
local function read_known()
  local keys, n, remembered, stored = {}, #req.hooks, {}, {}
  if n == 0 then return {}, {}, {} end
  for i, hook in ipairs(req.hooks) do
    local id = hook[1]
    keys[i], keys[n + i] = P .. 'overtaken:' .. id, body_key(hook)
    keys[2 * n + i], keys[3 * n + i] = P .. 'b:' .. id, P .. 'p:' .. id
  end
  keys[4 * n + 1] = P .. 'owned'
  local found = call('MGET', unpack(keys))
  for i, hook in ipairs(req.hooks) do
    remembered[keys[n + i]] = found[n + i]
    stored[hook[1]] = (found[2 * n + i] or found[3 * n + i]) and true
  end
  return found, remembered, stored, found[4 * n + 1]
end

local function handed_over(store_ms, subscriptions_version, hooks, sizes)
  return {store_ms, subscriptions_version, hooks, sizes}
end

-- Returns what a listener is sent: a zero byte, which no queue's name begins with, a hooks.HandedOver, and the bodies.
local function handed_message()
  local sizes = {}
  for i, body in ipairs(stored_bodies) do sizes[i] = #body end
  local version = tonumber(call('HGET', P .. 'subscriptions', 'version')) or 0
  local about = cmsgpack.pack(handed_over(now, version, stored_hooks, sizes))
  return '\0' .. struct.pack('>I4', #about) .. about .. table.concat(stored_bodies)
end

-- Hands a few small hooks over to a listener: it routes them without a claim, which would wait for the disk once more. They
-- are under a short lease without a token: what nobody has routed by then is due, and nobody died of it. Not where a
-- worker had as much to do already as one is to have. Returns whether one of them took it; else how many were handed over
-- before and wait for a listener.
local function hand_over()
  local bytes, leased = 0, P .. 'leased:inbox'
  for _, body in ipairs(stored_bodies) do bytes = bytes + #body end
  local is_small = #stored_hooks <= MOST_HANDED and bytes <= MOST_HANDED_BYTES
  local names = is_small and listeners()
  if is_small and #names == 0 then return false, 0 end
  if not is_small or call('ZCARD', leased) >= ITEMS_A_WORKER or not wake_listener(names, 1, handed_message()) then
    return false, call('ZCOUNT', leased, '-inf', now + HANDED_MS)
  end
  local leases = {}
  for i = 2, #inbox, 2 do leases[i - 1], leases[i] = now + HANDED_MS, inbox[i] end
  call('ZADD', leased, unpack(leases))
  wake('inbox', now + HANDED_MS)
  return true
end

-- Lets a worker have what was stored, now or with its next claim. Returns whether to publish a bell.
local function pass_on()
  if #inbox == 0 then return false end
  local took, handed = hand_over()
  if took then return false end
  call('ZADD', P .. 'due:inbox', unpack(inbox))
  return call_workers('inbox', #inbox / 2, handed)
end

if #req.hooks ~= #ARGV - 1 then return redis.error_reply('ERR accept: as many bodies as hooks') end
-- amoCRM repeats what was answered too late, maybe in this very group, and that is a duplicate.
local missing, unknown = {}, {}
for _, late in ipairs(req.answered_late) do
  local id, source, digest = unpack(late)
  if not mark_late(id, source, digest) then
    missing[#missing + 1] = id
    if digest ~= '' then note_unknown(unknown, id, P .. 'dup:' .. source .. ':' .. digest) end
  end
end
local answers, overtaken, remembered_before, stored_before, owned = {}, read_known()
local function is_owned(source) return not owned or string.find(owned, '\n' .. source .. '\n', 1, true) end
local function take(i, hook)
  local id, source, digest, timed, request_id = unpack(hook)
  local stored = stored_before[id]
  local key = body_key(hook)
  local remembered = not stored and (remembered_now[key] or remembered_before[key]) or ''
  local first = not stored and overtaken[i] or repeated_receipt(id, timed, request_id, remembered)
  if first then
    call('HINCRBY', find_record(first), 'dups', 1)
    call('HSET', find_record(first), 'dup_at', now)
    count('receipt|' .. source .. '|duplicate')
  elseif not stored then
    store(hook, ARGV[i + 1], key, remembered)
    stored_before[id] = true
  end
  if not hook[8] then heard[source] = now end
  for _, late in ipairs(not stored and unknown[key] or {}) do note_overtaken(late, first or id) end
  answers[i] = {first or id, first ~= nil}
end
for i, hook in ipairs(req.hooks) do
  if stored_before[hook[1]] or is_owned(hook[2]) then take(i, hook) else answers[i] = {'', false} end
end
if #inbox > 0 then call('ZADD', P .. 'receipts', unpack(inbox)) end
for _, key in ipairs(remembered_keys) do call('SET', key, remembered_now[key], 'PX', req.duplicate_ms) end
for source, at in pairs(heard) do call('HSET', P .. 'heard', source, at) end
write_collected()
return cmsgpack.pack({pass_on(), answers, missing})
