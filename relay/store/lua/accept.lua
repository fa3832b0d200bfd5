-- Stores a group of hooks, each whole or as a duplicate of one that is stored. Body, inbox, and the duplicate mark last.
-- req: {mark_ms, items = {{id, source, digest, timed, request_id, content_type, user_agent, recovered}…}, late = {id…}}; blobs: bodies.
-- Answers {bell, {{id, duplicate}…}}. No allow-oom: a full store must refuse here.
local MARKS = 8  -- identical bodies without a time that one mark remembers

-- The receipt that this hook repeats. A mark counts only while its receipt is there, and for its time from that one's arrival.
local function first_with_same_body(item, marks)
  for id, request in string.gmatch(marks, '(%S+) ([^\n]*)\n') do
    local at, late = unpack(call('HMGET', P .. 'r:' .. id, 'at', 'late'))
    if at and now - at < req.mark_ms and (item.timed or late or (request ~= '' and request == item.request_id)) then return id end
  end
end

local function keep_newest(marks)
  local kept, n = {}, 0
  for line in string.gmatch(marks, '[^\n]*\n') do
    n = n + 1
    if n < MARKS then kept[n] = line end
  end
  return table.concat(kept)
end

local fresh, inbox, marked = {}, {}, {}  -- of this group: marks by key, ids with their scores, keys in order
local function store(item, body, mark, marks)
  call('SET', P .. 'b:' .. item.id, body)
  call('HSET', P .. 'r:' .. item.id, 'src', item.source, 'at', now, 'size', #body, 'state', 'accepted', 'open', 1, 'ct', item.content_type,
    'ua', item.user_agent, 'rq', item.request_id)
  if item.recovered then call('HSET', P .. 'r:' .. item.id, 'rec', 1) end
  inbox[#inbox + 1] = now
  inbox[#inbox + 1] = item.id
  if not fresh[mark] then marked[#marked + 1] = mark end
  fresh[mark] = item.id .. ' ' .. item.request_id .. '\n' .. keep_newest(marks)
  count('receipt|' .. item.source .. (item.recovered and '|recovered' or '|accepted'))
  count('bytes|' .. item.source, #body)
end

if #req.items ~= #ARGV - 1 then return redis.error_reply('ERR accept: as many bodies as items') end
local answers = {}
for i, item in ipairs(req.items) do
  local known = call('EXISTS', P .. 'r:' .. item.id) == 1  -- an earlier call's answer was lost on its way
  local mark = P .. 'dup:' .. item.source .. ':' .. item.digest
  local marks = not known and (fresh[mark] or call('GET', mark)) or ''
  local first = first_with_same_body(item, marks)
  if first then
    call('HINCRBY', P .. 'r:' .. first, 'dups', 1)
    call('HSET', P .. 'r:' .. first, 'dup_at', now)
    count('receipt|' .. item.source .. '|duplicate')
  elseif not known then
    store(item, ARGV[i + 1], mark, marks)
  end
  answers[i] = {first or item.id, first ~= nil}
end
if #inbox > 0 then
  call('ZADD', P .. 'receipts', unpack(inbox))
  call('ZADD', P .. 'due:inbox', unpack(inbox))
end
for _, mark in ipairs(marked) do call('SET', mark, fresh[mark], 'PX', req.mark_ms) end
-- Their answer left too late: amoCRM will send them again, and that will be a duplicate.
for _, id in ipairs(req.late) do
  if call('EXISTS', P .. 'r:' .. id) == 1 then call('HSET', P .. 'r:' .. id, 'late', '1') end
end
write_counts()
return cmsgpack.pack({#inbox > 0 and wake('inbox', now), answers})
