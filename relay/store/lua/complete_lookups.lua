#!lua flags=allow-oom
-- Moves deliveries on whose look-up is answered: to their sinks' queues with the content that was made, or to their end.
-- A stale token moves nothing: the newer lease does it.
-- req: {queue, items = {{id, token, state, reason}…}}; blobs: contents. Answers {{queues that have work now…}, {stale…}}.
-- No bell: who looked up begins with them at once.
local due, leased, gate = P .. 'due:' .. req.queue, P .. 'leased:' .. req.queue, P .. 'gate:' .. req.queue
local queues, stale = {}, {}

local function move(id, state, reason, content)
  local own = P .. 'd:' .. id
  local event, sink, before = unpack(call('HMGET', own, 'ev', 'sink', 'c'))
  -- Other deliveries of the event may still wait with the content that routing gave them: it goes with the receipt.
  call('HSET', P .. 'r:' .. receipt_of(event), 'c:' .. before, '')
  local content_id = receipt_of(event) .. ':' .. string.sub(redis.sha1hex(content), 1, 12)
  call('SET', P .. 'c:' .. content_id, content)
  call('HSET', own, 'c', content_id, 'reason', reason)
  call('HDEL', own, 'q', 'tok', 'died')
  call('ZREM', leased, id)
  call('ZREM', due, id)
  if state == 'pending' then
    call('ZADD', P .. 'due:sink:' .. sink, now, id)
    queues['sink:' .. sink] = true
  else
    call('HSET', own, 'state', state, 'done', now)
    delivery_closed(id, sink, event, state)
  end
end

for i, item in ipairs(req.items) do
  local id, token, state, reason = unpack(item)
  local held_by, is = unpack(call('HMGET', P .. 'd:' .. id, 'tok', 'state'))
  if held_by == token and is == 'pending' then
    move(id, state, reason, ARGV[i + 1])
  else
    stale[#stale + 1] = id
  end
end
-- Somebody was answered: whatever closed the gate is over.
local till = tonumber(call('HGET', gate, 'until') or math.huge)
if #stale < #req.items and till <= now then call('HDEL', gate, 'until', 'reason', 'since') end
rewake(req.queue)
local begun = {}
for queue in pairs(queues) do
  wake(queue, now)
  begun[#begun + 1] = queue
end
write_collected()
return cmsgpack.pack({begun, stale})
