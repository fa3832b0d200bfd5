#!lua flags=allow-oom
-- Lists what the release before this one, commit b42e45f, did not list or has left in lists: it may run before this one,
-- beside it, and after it. Each call looks at a part of one list. Goes with the next release.
-- req: {list, of, cursor, count, known = {name…}}: 'receipts' (all, by arrival), those of a 'state', 'pending' or 'ordered' of
-- a sink, 'due' or 'leased' of a queue; the 'counters', where `known` are the events that amoCRM has. Answers the next cursor;
-- '': all of the list was seen.
local known = {other = true}
for _, name in ipairs(req.known) do known[name] = true end
local EVENT = '^e:(%d+)$'

-- Its tokens are "pid:number:random", and stay. Those of this release, under which receipts are claimed, end with ":r" and
-- a number, and go when it is routed.
local function was_routed_before(token, state)
  return token and token ~= '' and state ~= 'accepted' and not string.match(token, ':r%d+$')
end

local function adopt_receipt(id)
  local record = P .. 'r:' .. id
  local source, accepted_at, state, token = unpack(call('HMGET', record, 'src', 'at', 'state', 'tok'))
  if not was_routed_before(token, state) then return end
  local flat = call('HGETALL', record)
  for i = 1, #flat, 2 do
    local index = string.match(flat[i], EVENT)
    local _, entity, entity_id = unpack(index and cjson.decode(flat[i + 1]) or {})
    if entity_id and entity_id ~= '' then
      local of_entity = source .. ':' .. entity .. ':' .. entity_id
      call('ZADD', P .. 'events:' .. of_entity, accepted_at, id .. '.' .. index)
      call('SREM', P .. 'of:' .. of_entity, id .. '.' .. index)
    end
  end
  if is_listed_by_state(state) then call('ZADD', P .. 'receipts:' .. state, accepted_at, id) end
  call('HDEL', record, 'tok')
end

local function leave_state(id)
  if call('HGET', P .. 'r:' .. id, 'state') ~= req.of then call('ZREM', P .. 'receipts:' .. req.of, id) end
end

local function leave_pending(id)
  local state, sink = unpack(call('HMGET', P .. 'd:' .. id, 'state', 'sink'))
  if state ~= 'pending' or sink ~= req.of then call('ZREM', P .. 'pending:' .. req.of, id) end
end

local function join_pending(id)
  local state, sink, accepted_at = unpack(call('HMGET', P .. 'd:' .. id, 'state', 'sink', 'acc'))
  if state == 'pending' then call('ZADD', P .. 'pending:' .. sink, accepted_at, id) end
end

-- That release ends what has its turn in a line, and gives the turn to nobody.
local function give_turn_behind(id)
  local state, sink, keyed = unpack(call('HMGET', P .. 'd:' .. id, 'state', 'sink', 'keyed'))
  if state ~= 'pending' or sink ~= req.of then return call('ZREM', P .. 'ordered:' .. req.of, id) end
  local line = P .. 'line:' .. sink .. ':' .. split_keys(keyed)
  if not holder_of(line, sink) then give_turn(line, sink) end
end

-- Of receipts the cursor is a time of arrival, and many arrive in one millisecond.
local function adopt_receipts()
  local from = tonumber(req.cursor) or 0
  local rows = call('ZRANGEBYSCORE', P .. 'receipts', from, '+inf', 'WITHSCORES', 'LIMIT', 0, req.count)
  for i = 1, #rows, 2 do adopt_receipt(rows[i]) end
  if #rows < 2 * req.count then return '' end
  local last = tonumber(rows[#rows])
  return string.format('%.0f', last > from and last or last + 1)
end

-- That release counts an event under whatever a body calls it, and so many names are kept for ever.
local function join_counter(field)
  local source, name = string.match(field, '^event|([^|]*)|(.*)$')
  if not name or known[name] then return end
  call('HINCRBY', P .. 'stats', 'event|' .. source .. '|other', call('HGET', P .. 'stats', field) or 0)
  call('HDEL', P .. 'stats', field)
end

local function scan(key, adopt, command)
  local page = call(command or 'ZSCAN', key, req.cursor == '' and '0' or req.cursor, 'COUNT', req.count)
  for i = 1, #page[2], 2 do adopt(page[2][i]) end
  return page[1] == '0' and '' or page[1]
end

local lists = {
  receipts = adopt_receipts,
  state = function() return scan(P .. 'receipts:' .. req.of, leave_state) end,
  pending = function() return scan(P .. 'pending:' .. req.of, leave_pending) end,
  ordered = function() return scan(P .. 'ordered:' .. req.of, give_turn_behind) end,
  due = function() return scan(P .. 'due:' .. req.of, join_pending) end,
  leased = function() return scan(P .. 'leased:' .. req.of, join_pending) end,
  counters = function() return scan(P .. 'stats', join_counter, 'HSCAN') end,
}
return cmsgpack.pack(lists[req.list]())
