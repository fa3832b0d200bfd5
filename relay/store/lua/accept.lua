-- Stores a group of hooks, each whole or as a duplicate of one that is stored. Body, inbox, and the duplicate mark last.
-- req: {mark_ms, hooks = {{id, source, digest, timed, request_id, content_type, user_agent, recovered}…}, late = {id…}}; blobs: bodies.
-- Answers {bell, {{id, duplicate}…}}. No allow-oom: a full store must refuse here.
local MARKS = 8  -- identical bodies without a time that one mark remembers

-- The receipt that a hook repeats. A mark counts only while its receipt is there, and for its time from that one's arrival.
local function first_with_same_body(timed, request_id, marks)
  for id, request in string.gmatch(marks, '(%S+) ([^\n]*)\n') do
    local at, late = unpack(call('HMGET', P .. 'r:' .. id, 'at', 'late'))
    if at and now - at < req.mark_ms and (timed or late or (request ~= '' and request == request_id)) then return id end
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
local function store(hook, body, mark, marks)
  local id, source, _, _, request_id, content_type, user_agent, recovered = unpack(hook)
  local record = P .. 'r:' .. id
  call('SET', P .. 'b:' .. id, body)
  call('HSET', record, 'src', source, 'at', now, 'size', #body, 'state', 'accepted', 'open', 1, 'ct', content_type,
    'ua', user_agent, 'rq', request_id)
  if recovered then call('HSET', record, 'rec', 1) end
  inbox[#inbox + 1] = now
  inbox[#inbox + 1] = id
  if not fresh[mark] then marked[#marked + 1] = mark end
  fresh[mark] = id .. ' ' .. request_id .. '\n' .. keep_newest(marks)
  count('receipt|' .. source .. (recovered and '|recovered' or '|accepted'))
  count('bytes|' .. source, #body)
end

if #req.hooks ~= #ARGV - 1 then return redis.error_reply('ERR accept: as many bodies as hooks') end
-- Their answer left too late: amoCRM sends them again, maybe in this very group, and that is a duplicate.
for _, id in ipairs(req.late) do
  if call('EXISTS', P .. 'r:' .. id) == 1 then call('HSET', P .. 'r:' .. id, 'late', '1') end
end
local answers = {}
for i, hook in ipairs(req.hooks) do
  local id, source, digest, timed, request_id = unpack(hook)
  local known = call('EXISTS', P .. 'r:' .. id) == 1  -- an earlier call's answer was lost on its way
  local mark = P .. 'dup:' .. source .. ':' .. digest
  local marks = not known and (fresh[mark] or call('GET', mark)) or ''
  local first = first_with_same_body(timed, request_id, marks)
  if first then
    call('HINCRBY', P .. 'r:' .. first, 'dups', 1)
    call('HSET', P .. 'r:' .. first, 'dup_at', now)
    count('receipt|' .. source .. '|duplicate')
  elseif not known then
    store(hook, ARGV[i + 1], mark, marks)
  end
  answers[i] = {first or id, first ~= nil}
end
if #inbox > 0 then
  call('ZADD', P .. 'receipts', unpack(inbox))
  call('ZADD', P .. 'due:inbox', unpack(inbox))
end
for _, mark in ipairs(marked) do call('SET', mark, fresh[mark], 'PX', req.mark_ms) end
write_collected()
return cmsgpack.pack({#inbox > 0 and wake('inbox', now) and ring('inbox'), answers})
