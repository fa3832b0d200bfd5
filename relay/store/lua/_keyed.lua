-- Deliveries with a key of their route's `order` or `latest`. Those of one sink with one `order` key are a line: it is the
-- turn of one of them, which is in its queue as any other; the others are pending, too, and wait in `ordered:<sink>`, by
-- when they may be taken once it is their turn. In a line the one whose turn it is comes first, at TURN, then the others
-- as their receipts arrived. Those with one `latest` key are in one set until they end, as they arrived; the newest stays in it
-- for a while after it was delivered, so that an older one that is made later is not sent after it.
-- A delivery's field `keyed` has the digests of both keys, "order|latest"; either may be empty.
local TURN = 0
local REMEMBERED_MS = 7 * 86400000
local own_queue = req.queue or (req.settle and req.settle.queue)  -- the caller looks at that one by itself

local function split_keys(keyed) return string.match(keyed, '^(%x*)|(%x*)$') end

local function is_ordered(keyed) return keyed and string.sub(keyed, 1, 1) ~= '|' end

-- Returns how a delivery is called in the sets of its keys: of those that arrived together, the receipt and the place in
-- it decide. A UUID goes without what all of a minute have in common: over 64 characters a set takes three times as much.
local function member_of(event, id)
  local receipt, index = string.match(event, '^(.*)%.(%d+)$')
  local digits = string.gsub(receipt, '-', '')
  return string.format('%s%03x|%s', #digits == 32 and string.sub(digits, 9) or receipt .. '.', index, id)
end

local function id_of_member(member) return string.match(member, '^[^|]*|(.*)$') end

local function arrived_before(at, member, other_at, other)
  return at < other_at or (at == other_at and member < other)
end

-- Gives the turn to the first of a line, where nobody has it. It is due at once, or when its next attempt is.
local function give_turn(line, sink)
  local first = call('ZRANGE', line, 0, 0, 'WITHSCORES')
  while first[1] and tonumber(first[2]) ~= TURN do
    local id, ordered = id_of_member(first[1]), P .. 'ordered:' .. sink
    local state, queue = unpack(call('HMGET', P .. 'd:' .. id, 'state', 'q'))
    local from = call('ZSCORE', ordered, id)
    if state == 'pending' and from then
      queue = queue or 'sink:' .. sink
      local at = math.max(tonumber(from), now)
      call('ZREM', ordered, id)
      call('ZADD', line, TURN, first[1])
      call('ZADD', P .. 'due:' .. queue, at, id)
      if wake(queue, at) and at <= now and queue ~= own_queue then wake_listener(listeners(), 1, queue) end
      return
    end
    call('ZREM', line, first[1])  -- the release before this one has ended it
    first = call('ZRANGE', line, 0, 0, 'WITHSCORES')
  end
end

-- Returns who has the turn in a line, when it arrived, and in which queue it is; nil where nobody has it.
local function holder_of(line, sink)
  local first = call('ZRANGE', line, 0, 0, 'WITHSCORES')
  if not first[1] or tonumber(first[2]) ~= TURN then return nil end
  local state, accepted_at, queue = unpack(call('HMGET', P .. 'd:' .. id_of_member(first[1]), 'state', 'acc', 'q'))
  if state == 'pending' then return first[1], tonumber(accepted_at), queue or 'sink:' .. sink end
  call('ZREM', line, first[1])  -- the release before this one has ended it
end

-- Takes the turn from one that is in no lease, for one that arrived before it. Returns whether it was so.
local function take_from_holder(line, sink, holder, accepted_at, queue)
  local id = id_of_member(holder)
  local due_at = call('ZSCORE', P .. 'due:' .. queue, id)
  if not due_at then return false end
  call('ZREM', P .. 'due:' .. queue, id)
  call('ZADD', P .. 'ordered:' .. sink, due_at, id)
  call('ZADD', line, accepted_at, holder)
  return true
end

-- Lets a pending delivery that is in none of the sets wait from `at` on. Returns whether it is its turn, or it has no
-- `order` key: then the caller makes it due.
local function take_turn(id, sink, event, keyed, at)
  if not is_ordered(keyed) then return true end
  local line, member = P .. 'line:' .. sink .. ':' .. split_keys(keyed), member_of(event, id)
  local accepted_at = tonumber(call('HGET', P .. 'd:' .. id, 'acc'))
  call('ZADD', line, accepted_at, member)
  local holder, holder_at, queue = holder_of(line, sink)
  if holder and arrived_before(accepted_at, member, holder_at, holder)
    and take_from_holder(line, sink, holder, holder_at, queue) then
    holder = nil
  end
  if not holder and call('ZRANGE', line, 0, 0)[1] == member then
    call('ZADD', line, TURN, member)
    return true
  end
  call('ZADD', P .. 'ordered:' .. sink, at, id)
  if not holder then give_turn(line, sink) end
  return false
end

-- Takes a delivery that is in no queue any more out of its line: the next of it has its turn.
local function leave_line(id, sink, event, keyed)
  if not is_ordered(keyed) then return end
  local line = P .. 'line:' .. sink .. ':' .. split_keys(keyed)
  call('ZREM', line, member_of(event, id))
  give_turn(line, sink)
end

local function latest_of(sink, keyed)
  local _, latest = split_keys(keyed)
  return latest ~= '' and P .. 'latest:' .. sink .. ':' .. latest or nil
end

-- Lists a delivery by its `latest` key. One that a person sends again supersedes nothing; and where a newer one is
-- remembered, that is forgotten in its time all the same.
local function join_latest(id, sink, event, keyed, accepted_at)
  local of_key, member = keyed and latest_of(sink, keyed), member_of(event, id)
  if not of_key then return end
  call('ZADD', of_key, accepted_at, member)
  if call('ZREVRANGE', of_key, 0, 0)[1] == member then call('PERSIST', of_key) end
end

function leave_keys(id, sink, event, keyed, state)
  leave_line(id, sink, event, keyed)
  local of_key, member = latest_of(sink, keyed), member_of(event, id)
  if not of_key then return end
  if state == 'delivered' and call('ZREVRANGE', of_key, 0, 0)[1] == member then
    call('PEXPIRE', of_key, REMEMBERED_MS)
  else
    call('ZREM', of_key, member)
  end
end
