#!lua flags=allow-oom
-- Starts a bulk action: a row, and the job that works it off. None is started where another of its kind and filter has
-- not ended. An erasure is open until it is done or given up: this one takes the place of the same that has failed.
-- One whose row is there already is not started once more, whatever has become of it.
-- req: {id, kind, request, alike, total, rate, by, why, secret, shards: in which it has parts, '': this is all of it}.
-- Answers the id of the one that runs.
local unfinished = P .. 'actions:unfinished'
if call('EXISTS', P .. 'action:' .. req.id) == 1 then return cmsgpack.pack(req.id) end
local other = call('HGET', unfinished, req.alike)
if other then return cmsgpack.pack(other) end
call('HSET', P .. 'action:' .. req.id, 'kind', req.kind, 'request', req.request, 'alike', req.alike, 'total', req.total,
  'rate', req.rate, 'by', req.by, 'why', req.why, 'at', now, 'state', 'running', 'cursor', '', 'looked', 0)
if req.secret ~= '' then call('HSET', P .. 'action:' .. req.id, 'secret', req.secret) end
call('ZADD', P .. 'actions', now, req.id)
call('HSET', unfinished, req.alike, req.id)
if req.shards ~= '' then call('HSET', P .. 'action:' .. req.id, 'shards', req.shards) end
if req.kind == 'erase' then
  for _, other in ipairs(call('ZRANGE', P .. 'erasures', 0, -1)) do
    if call('HGET', P .. 'action:' .. other, 'alike') == req.alike then list_ended(other) end
  end
  call('ZADD', P .. 'erasures', now, req.id)
end
write_audit('start ' .. req.kind, 'action ' .. req.id, '')
enqueue_job('action:' .. req.id, 'action', cjson.encode({id = req.id}), now)
return cmsgpack.pack(req.id)
