-- Takes back what is under expired leases, and says what is to blame for a worker's death: only what it held alone.
local dying = {
  EXPIRED_AT_ONCE = 100,
  POISONED_AFTER = 5,  -- deaths alone
  MOST_LEASES = 1000,  -- of a queue: there are as many as its sink may be sent at once
  REASON = 'the worker died five times',
}

local poison = {
  r = function(id)
    local record = P .. 'r:' .. id
    call('HSET', record, 'state', 'quarantined', 'reason', dying.REASON, 'dead', 1)  -- kept as long as a dead letter is
    local source, accepted_at = unpack(call('HMGET', record, 'src', 'at'))
    call('ZADD', P .. 'receipts:quarantined', accepted_at, id)
    count('receipt|' .. (source or '') .. '|quarantined')
    decrement_open(id)
  end,
  d = function(id)
    local record = P .. 'd:' .. id
    local sink, event, keyed = unpack(call('HMGET', record, 'sink', 'ev', 'keyed'))
    call('HSET', record, 'state', 'dead', 'reason', dying.REASON, 'done', now)
    end_delivery(id, sink, event, 'dead', keyed)
  end,
  -- A job is the relay's own: it is tried again, but not soon.
  j = function(id)
    call('HSET', P .. 'j:' .. id, 'died', 0, 'alone', 0, 'reason', dying.REASON)
    call('ZADD', P .. 'due:jobs', now + 3600000, id)
  end,
}

-- Takes out of the lists what has no record any more. Only of a sink's queue it is known which list that is.
local function forget(kind, queue, id)
  local sink = string.match(queue, '^sink:(.*)$')
  if kind == 'd' and sink then end_pending(id, sink) end
end

-- Ends a delivery that an earlier attempt delivered, as was told while the lease was out that now ran out; or that a
-- person asked to cancel meanwhile. `unheard`: nobody had it. Returns whether it was so, and what `take_turn` takes.
local function end_expired(queue, id, unheard)
  local fields = call('HMGET', P .. 'd:' .. id, 'told', 'cancel', 'sink', 'ev', 'keyed')
  local told, cancel, sink, event, keyed = unpack(fields)
  if told then
    write_delivered(id, sink, event, 'pending', told, keyed)
    note_delivery_fact('delivered', id)
  elseif cancel then
    local at_sink = string.match(queue, '^sink:') and not unheard
    local may_have_left = at_sink and '; its worker died while it had it: it may have arrived' or ''
    cancel_in_flight(id, sink, event, cancel .. may_have_left, keyed)
  end
  return told or cancel, sink, event, keyed
end

-- Lets a delivery that nobody had wait again, from `at` on, unless it is to end.
local function give_back(queue, due, id, at)
  local ended, sink, event, keyed = end_expired(queue, id, true)
  if not ended and take_turn(id, sink, event, keyed, at) then call('ZADD', due, at, id) end
end

local function worker_of(token) return string.match(token, '^(.*):[^:]*$') or token end

-- Notes where a worker holds several things: they are in different queues, and their leases run out one by one.
local function note_hand(worker)
  local records, tokens = {}, {}
  for _, queue in ipairs(call('ZRANGE', P .. 'wake', 0, -1)) do
    local kind = queue == 'inbox' and 'r' or queue == 'jobs' and 'j' or 'd'
    for _, id in ipairs(call('ZRANGE', P .. 'leased:' .. queue, 0, dying.MOST_LEASES - 1)) do
      local token = call('HGET', P .. kind .. ':' .. id, 'tok')
      if token and token ~= '' and worker_of(token) == worker then
        records[#records + 1], tokens[#tokens + 1] = P .. kind .. ':' .. id, token
      end
    end
  end
  if #records < 2 then return end
  for i, record in ipairs(records) do call('HSET', record, 'beside', tokens[i]) end
end

-- Counts a death that an item was held in. Returns whether it is poisoned. What was claimed ahead, or handed over, may have
-- begun, and may not: it makes no suspect, as that comes to it once, and nothing is to blame that nobody had claimed.
local function count_death(kind, id, unclaimed)
  local record = P .. kind .. ':' .. id
  call('HINCRBY', record, 'died', 1)
  if unclaimed then return false end
  local token, beside = unpack(call('HMGET', record, 'tok', 'beside'))
  return token ~= beside and call('HINCRBY', record, 'alone', 1) >= dying.POISONED_AFTER
end

-- Lets what a worker died with be taken again, or gives it up. Returns whether it is poisoned.
local function take_back(kind, queue, due, id, unclaimed)
  local ended, sink, event, keyed
  if kind == 'd' then ended, sink, event, keyed = end_expired(queue, id) end
  if ended then return false end
  if count_death(kind, id, unclaimed) then
    poison[kind](id)
    return true
  end
  if take_turn(id, sink, event, keyed, now) then call('ZADD', due, now, id) end
  return false
end

-- Returns the ids of what was poisoned, and when the first lease ends where none had run out: infinite without any.
local function take_back_expired(kind, queue, due, leased, limits)
  local poisoned, noted, handed, first = {}, {}, {}, first_score(leased) or math.huge
  if first > now then return poisoned, first end
  local expired = call('ZRANGEBYSCORE', leased, '-inf', now, 'LIMIT', 0, dying.EXPIRED_AT_ONCE)
  for _, id in ipairs(expired) do
    local token = call('HGET', P .. kind .. ':' .. id, 'tok')
    local worker = worker_of(token or '')
    handed[id] = kind == 'r' and not token  -- accept.lua
    if worker ~= '' and not noted[worker] then note_hand(worker) end
    noted[worker] = true
  end
  for _, id in ipairs(expired) do
    turns.note_expired(id, limits, leased)
    call('ZREM', leased, id)
    local was_ahead = kind == 'd' and call('ZREM', P .. 'ahead:' .. queue, id) == 1
    if call('EXISTS', P .. kind .. ':' .. id) == 0 then
      forget(kind, queue, id)
    elseif take_back(kind, queue, due, id, was_ahead or handed[id]) then
      poisoned[#poisoned + 1] = id
    end
  end
  return poisoned
end
