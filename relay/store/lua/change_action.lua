#!lua flags=allow-oom
-- Pauses a bulk action, lets it go on, or ends it: its job goes with it, whoever works at it. An erasure that failed is
-- open until somebody gives it up.
-- req: {id, act, by, why}. Answers {whether it was done, the state before; empty where there is none}.
local record = P .. 'action:' .. req.id
local before, alike = unpack(call('HMGET', record, 'state', 'alike'))
-- Of each act: from which states, and to which.
local CHANGES = {
  pause = {'paused', running = true},
  resume = {'running', paused = true},
  abort = {'aborted', running = true, paused = true},
  finish = {'done', running = true},
  fail = {'failed', running = true},
}
local change = CHANGES[req.act]
local is_open_erasure = call('ZSCORE', P .. 'erasures', req.id)
if before == 'failed' and is_open_erasure and req.act == 'abort' then change = {'aborted', failed = true} end
if not before or not change[before] then return cmsgpack.pack({false, before or ''}) end
local after = change[1]
call('HSET', record, 'state', after)
call('HDEL', record, 'waits')
write_audit(req.act, 'action ' .. req.id, before)
if after == 'running' then
  enqueue_job('action:' .. req.id, 'action', cjson.encode({id = req.id}), now)
else
  remove_job('action:' .. req.id)
end
if after ~= 'running' and after ~= 'paused' then
  if before ~= 'failed' then call('HSET', record, 'ended', now, 'problem', req.act == 'fail' and req.why or '') end
  call('HDEL', record, 'secret')
  if call('HGET', P .. 'actions:unfinished', alike) == req.id then call('HDEL', P .. 'actions:unfinished', alike) end
  if after ~= 'failed' or not is_open_erasure then list_ended(req.id) end
end
return cmsgpack.pack({true, before})
