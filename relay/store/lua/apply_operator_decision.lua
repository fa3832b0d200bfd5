#!lua flags=allow-oom
-- Does what a person decided about a delivery: `confirm` settles a held one as delivered; `resend` sends one that is
-- held or finished once more, with all its attempts. req: {id, decision, reason}; blob: the decision as an attempt.
-- Answers {whether it was done, the state before}: the state is '' where there is no such delivery, 'empty' where it has
-- no content.
local record = P .. 'd:' .. req.id
local fields = call('HMGET', record, 'state', 'sink', 'ev', 'acc', 'c', 'q')
local state, sink, event, accepted_at, content, own_queue = unpack(fields)
if not state then return cmsgpack.pack({false, ''}) end
-- One that died while it waited for a look-up has no content yet: it waits for that again.
local queue, receipt = own_queue or 'sink:' .. sink, receipt_of(event)

local function append_attempt(outcome) call('RPUSH', P .. 'a:' .. req.id, '1|' .. outcome .. '|' .. ARGV[2]) end

local function confirm()
  call('ZREM', P .. 'held:' .. sink, req.id)
  call('HSET', record, 'state', 'delivered', 'reason', req.reason, 'done', now)
  call('HDEL', record, 'send')
  end_delivery(req.id, sink, event, 'delivered')
  append_attempt('delivered')
end

-- Its receipt has something unfinished again, so retention leaves it alone.
local function reopen_receipt()
  call('HINCRBY', P .. 'r:' .. receipt, 'open', 1)
  call('ZREM', P .. 'finished', receipt)
  call('ZREM', P .. 'finished:dead', receipt)
  if state == 'dead' then
    call('ZREM', P .. 'dead:' .. sink, req.id)
    if call('HINCRBY', P .. 'r:' .. receipt, 'dead', -1) <= 0 then call('HDEL', P .. 'r:' .. receipt, 'dead') end
  end
end

local function resend()
  if state == 'held' then call('ZREM', P .. 'held:' .. sink, req.id) else reopen_receipt() end
  call('HSET', record, 'state', 'pending', 'reason', req.reason, 'att', 0)
  call('HDEL', record, 'tok', 'send', 'sends', 'died', 'blk', 'done')
  call('ZADD', P .. 'due:' .. queue, now, req.id)
  begin_pending(req.id, sink, accepted_at)
  update_wake(queue)
  append_attempt('retry')
end

local ended = state == 'dead' or state == 'cancelled' or state == 'skipped'
if req.decision == 'confirm' and state == 'held' then
  confirm()
elseif req.decision == 'resend' and (state == 'held' or ended) then
  if not own_queue and call('STRLEN', P .. 'c:' .. content) == 0 then return cmsgpack.pack({false, 'empty'}) end
  resend()
else
  return cmsgpack.pack({false, state})
end
write_collected()
return cmsgpack.pack({true, state})
