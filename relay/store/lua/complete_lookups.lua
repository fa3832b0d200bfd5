#!lua flags=allow-oom
-- Moves deliveries whose look-up is answered to their sinks' queues, with the content that was made, or ends them.
-- A stale token moves nothing: the newer lease does it. req: {queue, items = {settling.LookupRow…}}; blobs: their contents.
-- Answers {{queues that have work now…}, {ids of stale tokens…}}. No bell: the caller begins with them at once.
local due, leased, gate = P .. 'due:' .. req.queue, P .. 'leased:' .. req.queue, read_gate(req.queue)
local queues, stale = {}, {}
local looked_up = {}  -- who their contents speak of may not be in the hook: the index of people is told
local MOST_LOOKED_UP = 100000

local function complete(id, state, reason, content)
  local record = P .. 'd:' .. id
  local event, sink, content_before, told, keyed = unpack(call('HMGET', record, 'ev', 'sink', 'c', 'told', 'keyed'))
  -- Other deliveries of the event may still have the content that routing gave them: it is removed with the receipt.
  call('HSET', P .. 'r:' .. receipt_of(event), 'c:' .. content_before, '')
  local content_id = receipt_of(event) .. ':' .. string.sub(redis.sha1hex(content), 1, 12)
  call('SET', P .. 'c:' .. content_id, content)
  call('HSET', record, 'c', content_id, 'size', #content, 'reason', reason)
  call('HDEL', record, 'q', 'tok', 'died', 'alone', 'blk')
  call('ZREM', leased, id)
  call('ZREM', due, id)
  if keyed then call('ZREM', P .. 'ordered:' .. sink, id) end  -- its lease ran out, and another took the turn
  if told then  -- an earlier attempt has delivered it
    write_delivered(id, sink, event, 'pending', told, keyed)
    note_delivery_fact('delivered', id)
  elseif state == 'pending' then
    if not take_turn(id, sink, event, keyed, now) then return end
    call('ZADD', P .. 'due:sink:' .. sink, now, id)
    queues['sink:' .. sink] = true
  else
    call('HSET', record, 'state', state, 'done', now)
    end_delivery(id, sink, event, state, keyed)
  end
end

for i, item in ipairs(req.items) do
  local id, token, state, reason = unpack(item)
  local current_token, current_state, cancel = unpack(call('HMGET', P .. 'd:' .. id, 'tok', 'state', 'cancel'))
  if cancel then state, reason = 'cancelled', cancel end
  if current_token == token and current_state == 'pending' then
    complete(id, state, reason, ARGV[i + 1])
    looked_up[#looked_up + 1] = id
    end_trial(gate, '', id, 'completed', '')  -- the account answered, so what closed its gate is over
  else
    stale[#stale + 1] = id
  end
end
count_outcomes(req.queue, #req.items - #stale, 0)
if #looked_up > 0 and call('RPUSH', P .. 'lookedup', unpack(looked_up)) > MOST_LOOKED_UP then
  call('LTRIM', P .. 'lookedup', -MOST_LOOKED_UP, -1)
end
update_wake(req.queue)
local with_work = {}
for queue in pairs(queues) do
  wake(queue, now)
  with_work[#with_work + 1] = queue
end
write_collected()
return cmsgpack.pack({with_work, stale})
