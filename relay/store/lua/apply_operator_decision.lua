#!lua flags=allow-oom
-- Does what a person decided about a delivery: `confirm` says that a held one arrived; `resend` sends one that is
-- held or finished once more, with all its attempts. req: {id, verdict, reason}; blob: the decision as the story tells it.
-- Answers {done, state}; state "" where there is no such delivery, "empty" where nothing was ever rendered.
local own = P .. 'd:' .. req.id
local state, sink, event, content, waits = unpack(call('HMGET', own, 'state', 'sink', 'ev', 'c', 'q'))
if not state then return cmsgpack.pack({false, ''}) end
-- One that was buried at its look-up has no content yet: it waits for that again.
local queue, record = waits or 'sink:' .. sink, P .. 'r:' .. receipt_of(event)

local function tell(outcome) call('RPUSH', P .. 'a:' .. req.id, '1|' .. outcome .. '|' .. ARGV[2]) end

local function confirm()
  call('ZREM', P .. 'held:' .. sink, req.id)
  call('HSET', own, 'state', 'delivered', 'reason', req.reason, 'done', now)
  call('HDEL', own, 'send')
  delivery_closed(req.id, sink, event, 'delivered')
  tell('delivered')
end

-- Its receipt has something unfinished again, so retention leaves it alone.
local function reopen()
  call('HINCRBY', record, 'open', 1)
  call('ZREM', P .. 'finished', receipt_of(event))
  call('ZREM', P .. 'finished:dead', receipt_of(event))
  if state == 'dead' then
    call('ZREM', P .. 'dead:' .. sink, req.id)
    if call('HINCRBY', record, 'dead', -1) <= 0 then call('HDEL', record, 'dead') end
  end
end

local function resend()
  if state == 'held' then call('ZREM', P .. 'held:' .. sink, req.id) else reopen() end
  call('HSET', own, 'state', 'pending', 'reason', req.reason, 'att', 0)
  call('HDEL', own, 'tok', 'send', 'sends', 'died', 'done')
  call('ZADD', P .. 'due:' .. queue, now, req.id)
  rewake(queue)
  tell('retry')
end

local finished = state == 'dead' or state == 'cancelled' or state == 'skipped'
if req.verdict == 'confirm' and state == 'held' then
  confirm()
elseif req.verdict == 'resend' and (state == 'held' or finished) then
  if not waits and call('STRLEN', P .. 'c:' .. content) == 0 then return cmsgpack.pack({false, 'empty'}) end
  resend()
else
  return cmsgpack.pack({false, state})
end
write_collected()
return cmsgpack.pack({true, state})
