-- Background work: rows that any worker claims.

-- Makes a job that may be taken at `at`, unless it is there. No bell is set: a listener is woken, or a ticker finds it.
local function enqueue_job(id, kind, args, at)
  local record = P .. 'j:' .. id
  if call('EXISTS', record) == 1 then return end
  call('HSET', record, 'kind', kind, 'args', args)
  call('ZADD', P .. 'due:jobs', at, id)
  if wake('jobs', at) and at <= now then wake_listener(listeners(), 1, 'jobs') end
end

-- Removes a job, whoever holds it: what that worker writes under its token changes nothing any more.
local function remove_job(id)
  call('DEL', P .. 'j:' .. id)
  call('ZREM', P .. 'due:jobs', id)
  call('ZREM', P .. 'leased:jobs', id)
  update_wake('jobs')
end
