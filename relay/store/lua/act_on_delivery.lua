#!lua flags=allow-oom
-- Does to a delivery what a person asked, where its state allows it, and writes that into its story and the audit.
-- req: {id, act, by, why}, and what some acts take more; of a bulk action also {action, noted: what a done one is called
-- in its list}. Answers acts.ActAnswer.
local record = P .. 'd:' .. req.id
local fields = call('HMGET', record, 'state', 'sink', 'ev', 'acc', 'c', 'q', 'send', 'keyed')
local state, sink, event, accepted_at, content, queue_before, sent_at, keyed = unpack(fields)
-- One that waited for a look-up when it ended has no content yet: it waits for that again.
local queue = queue_before or sink and 'sink:' .. sink

-- Appends the act to the story, as an attempt that was none.
local function append_to_story(outcome, decision, reason)
  local attempt = {number = 0, at = now, took_ms = 0, outcome = outcome, decision = decision, reason = reason}
  call('RPUSH', P .. 'a:' .. req.id, '1|' .. outcome .. '|' .. cjson.encode(attempt))
end

-- Its receipt has something unfinished again, so retention leaves it alone.
local function reopen_receipt()
  local receipt = receipt_of(event)
  call('HINCRBY', P .. 'r:' .. receipt, 'open', 1)
  call('ZREM', P .. 'finished', receipt)
  call('ZREM', P .. 'finished:dead', receipt)
  if state == 'dead' then leave_dead(req.id, sink, receipt) end
end

-- What is claimed ahead of a slot is given back as soon as its worker asks for more.
local function recall()
  if call('ZSCORE', P .. 'ahead:' .. queue, req.id) then call('ZADD', P .. 'ahead:' .. queue, now, '') end
end

-- Returns from when it may be taken, where it waits for another of its `order` key.
local function ordered_from()
  return keyed and call('ZSCORE', P .. 'ordered:' .. sink, req.id)
end

-- Takes it out of where it waits. Returns whether it waited: else it is in flight.
local function leave_queue()
  return call('ZREM', P .. 'due:' .. queue, req.id) == 1
    or keyed and call('ZREM', P .. 'ordered:' .. sink, req.id) == 1
end

-- Each returns the code of an answer: 'done', 'asked', or why it was not done.
local acts = {}

acts.confirm = function()
  if state ~= 'held' then return 'state' end
  local reason = describe_act('confirmed')
  leave_held(req.id, sink)
  call('HSET', record, 'state', 'delivered', 'reason', reason, 'done', now)
  call('HDEL', record, 'send', 'mark')
  end_delivery(req.id, sink, event, 'delivered', keyed)
  note_delivery_fact('delivered', req.id)
  append_to_story('delivered', 'settle', reason)
  return 'done'
end

local function send_again(reason)
  if state == 'held' then leave_held(req.id, sink) else reopen_receipt() end
  call('HSET', record, 'state', 'pending', 'reason', reason, 'att', 0)
  call('HDEL', record, 'tok', 'send', 'mark', 'sends', 'told', 'died', 'alone', 'blk', 'done', 'cancel', 'down')
  if take_turn(req.id, sink, event, keyed, now) then call('ZADD', P .. 'due:' .. queue, now, req.id) end
  join_latest(req.id, sink, event, keyed, accepted_at)
  begin_pending(req.id, sink, accepted_at)
  append_to_story('retry', 'retry', reason)
  return 'done'
end

acts.resend = function()
  if state == 'pending' or state == 'delivered' or state == 'shadowed' then return 'state' end
  if not queue_before and call('STRLEN', P .. 'c:' .. content) == 0 then return 'empty' end
  return send_again(describe_act('resent'))
end

-- Sends what today's configuration makes of it: another content, under another key. req: {queue, config,
-- force}; blob: content.
acts.render = function()
  if state == 'pending' or state == 'shadowed' then return 'state' end
  if state == 'delivered' and not req.force then return 'state' end
  local receipt = receipt_of(event)
  -- Other deliveries of the event may still have the content before: it is removed with the receipt.
  call('HSET', P .. 'r:' .. receipt, 'c:' .. content, '')
  local content_id = receipt .. ':' .. string.sub(redis.sha1hex(ARGV[2]), 1, 12)
  call('SET', P .. 'c:' .. content_id, ARGV[2])
  call('HSET', record, 'c', content_id, 'size', #ARGV[2], 'cfg', req.config)
  call('HINCRBY', record, 'gen', 1)
  queue = req.queue
  if queue == 'sink:' .. sink then call('HDEL', record, 'q') else call('HSET', record, 'q', queue) end
  return send_again(describe_act('rendered anew and resent'))
end

-- Whether routing has made the delivery already that this one would be of the other sink.
local function exists_there()
  if req.planned == '' then return false end
  return call('EXISTS', P .. 'd:' .. req.planned) == 1
    or call('HEXISTS', P .. 'once:' .. string.sub(req.planned, 1, 3), req.planned) == 1
end

-- So that routing its event again makes no second delivery: `planned` is the id that it would have.
local function remember_planned()
  if req.planned == '' then return end
  call('HSET', record, 'planned', req.planned)
  if req.once then
    call('HSET', P .. 'once:' .. string.sub(req.planned, 1, 3), req.planned, 'moved')
  else
    local receipt, index = string.match(event, '^([^.]*)%.(.*)$')
    call('HSET', P .. 'r:' .. receipt, 'd:' .. req.planned, index)
  end
end

-- Each state that a delivery may be moved in has a list of this name.
local function move_in_list()
  local at = call('ZSCORE', P .. state .. ':' .. sink, req.id)
  call('ZREM', P .. state .. ':' .. sink, req.id)
  call('ZADD', P .. state .. ':' .. req.to, at, req.id)
  if state == 'pending' then return end
  local failed_at = leave_failed(req.id, sink)
  list_failed(req.id, req.to, state, call('HGET', record, 'reason'), failed_at)
end

-- Lets it wait for the other sink, whose name is written. What waits for a look-up is in the account's queue still.
local function wait_there(due_at)
  update_wake(queue)
  queue = queue_before or 'sink:' .. req.to
  if take_turn(req.id, req.to, event, keyed, due_at) then call('ZADD', P .. 'due:' .. queue, due_at, req.id) end
end

-- Puts it into another sink's queue and lists, in its state. req: {to, type, planned, once}.
acts.move = function()
  if state ~= 'pending' and state ~= 'held' and state ~= 'dead' then return 'state' end
  if call('HGET', P .. 'sinks', sink) ~= req.type then return 'other type' end
  if exists_there() then return 'exists' end
  local due_at = state == 'pending' and (call('ZSCORE', P .. 'due:' .. queue, req.id) or ordered_from())
  if state == 'pending' and not due_at then
    recall()
    return 'leased'
  end
  if due_at then leave_queue() end
  if keyed and state ~= 'dead' then leave_keys(req.id, sink, event, keyed, 'moved') end
  move_in_list()
  remember_planned()
  call('HSET', P .. 'sinks', req.to, req.type)
  call('HSET', record, 'sink', req.to)
  if due_at then wait_there(tonumber(due_at)) end
  if keyed and state ~= 'dead' then join_latest(req.id, req.to, event, keyed, accepted_at) end
  note_rerouted(receipt_of(event))
  call('HDEL', record, 'blk', 'tok')  -- whoever had it of the sink before decides nothing about it any more
  count('delivery|' .. sink .. '|moved')
  append_to_story('retry', 'wait', describe_act('moved from ' .. sink .. ' to ' .. req.to))
  return 'done'
end

acts.retry = function()
  if state ~= 'pending' then return 'state' end
  if ordered_from() then return 'ordered' end
  local due_at = call('ZSCORE', P .. 'due:' .. queue, req.id)
  if not due_at then return 'leased' end
  if tonumber(due_at) <= now then return 'due' end
  call('ZADD', P .. 'due:' .. queue, now, req.id)
  append_to_story('retry', 'retry', describe_act('made due at once'))
  return 'done'
end

local function cancel_dead(reason)
  leave_dead(req.id, sink, receipt_of(event))
  call('HSET', record, 'state', 'cancelled', 'reason', reason, 'done', now)
  count('delivery|' .. sink .. '|cancelled')
end

-- What is in flight cannot be called back: it is not sent once more, whatever comes of this attempt.
local function ask_to_cancel(reason)
  recall()
  if call('HSETNX', record, 'cancel', reason) == 0 then return 'asked already' end
  append_to_story('skipped', 'wait', describe_act('cancelling asked for'))
  return 'asked'
end

acts.cancel = function()
  if state ~= 'pending' and state ~= 'held' and state ~= 'dead' then return 'state' end
  local reason = describe_act('cancelled')
  if state == 'pending' and not leave_queue() then return ask_to_cancel(reason) end
  if sent_at then reason = reason .. '; an earlier attempt may have arrived' end
  if state == 'dead' then
    cancel_dead(reason)
  else
    if state == 'held' then leave_held(req.id, sink) end
    call('HSET', record, 'state', 'cancelled', 'reason', reason, 'done', now)
    call('HDEL', record, 'tok', 'send', 'mark')
    end_delivery(req.id, sink, event, 'cancelled', keyed)
  end
  append_to_story('skipped', 'settle', reason)
  return 'done'
end

-- Returns what keeps the queue back, for one that was made due.
local function read_obstacle()
  local gate_fields = call('HMGET', P .. 'gate:' .. queue, 'paused', 'paused_why', 'until', 'reason')
  local paused, paused_why, closed_until, reason = unpack(gate_fields)
  if paused then return 'paused: ' .. (paused_why or '') end
  return tonumber(closed_until or 0) > now and 'closed: ' .. (reason or '') or ''
end

-- acts.ActAnswer
local function act_answer(code, before, obstacle) return cmsgpack.pack({code, before, obstacle}) end

local obstacle = action_obstacle(req.id)
if obstacle then return act_answer(obstacle, state or '', '') end
if not state then
  if is_packed(req.id) then return act_answer('packed', '', '') end
  local of_another_kind = has_receipt(receipt_of(req.id))
  local code = of_another_kind and 'another kind' or 'gone'
  note_item(req.id, code)
  return act_answer(code, '', '')
end
local code = acts[req.act]()
note_item(req.id, code == 'state' and state or code == 'done' and req.noted or code)
if code ~= 'done' and code ~= 'asked' then return act_answer(code, state, '') end
write_audit(req.act, 'delivery ' .. req.id, code == 'asked' and 'in flight' or state)
update_wake_and_call(queue)
write_collected()
return act_answer(code, state, read_obstacle())
