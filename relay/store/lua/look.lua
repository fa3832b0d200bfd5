#!lua flags=allow-oom
-- A worker's look at the store: writes that it lives, and whether it listens, and finds the queues that are worth a look.
-- req: {worker, version, listens, jobs = {id…}, silent_ms, since}. Answers a looks.LookReply.
local FORGET_MS = 3600000
local LISTENS_MS = 3000  -- a listener looks every second
local UNHEARD_MS = 500  -- by then somebody has come to what is due, if he heard of it

-- Of the workers that were seen within the hour, those not seen for `silent_ms`: {name, milliseconds}.
local function silent_workers()
  local silent = {}
  local seen = call('ZRANGEBYSCORE', P .. 'workers', '-inf', now - req.silent_ms, 'WITHSCORES')
  for i = 1, #seen, 2 do silent[#silent + 1] = {seen[i], now - tonumber(seen[i + 1])} end
  return silent
end

-- Writes which version of the relay the worker is, and forgets those of workers that are gone.
local function keep_version()
  local versions, workers = P .. 'versions', P .. 'workers'
  if call('HGET', versions, req.worker) ~= req.version then call('HSET', versions, req.worker, req.version) end
  if call('HLEN', versions) <= call('ZCARD', workers) then return end
  for _, name in ipairs(call('HKEYS', versions)) do
    if not call('ZSCORE', workers, name) then call('HDEL', versions, name) end
  end
end

-- Since when the store is in use, whether it was found empty by this look, its format, and the epoch of its list of shards.
-- `known`: what the worker knows of it; a store that was emptied since does not.
local function in_use_since(known)
  local life = P .. 'life'
  local since, format, shards = unpack(call('HMGET', life, 'since', 'format', 'shards'))
  format, shards = tonumber(format or 0), tonumber(shards or 0)
  if since then return tonumber(since), false, format, shards end
  local oldest = known == 0 and first_score(P .. 'receipts')
  call('HSET', life, 'since', oldest or now)
  if known > 0 then call('HSET', life, 'emptied', now) end
  return oldest or now, not oldest, format, shards
end

-- Whether the store knows the jobs: one that was emptied has to be told everything again.
local function knows_jobs()
  local keys = {}
  for i, id in ipairs(req.jobs) do keys[i] = P .. 'j:' .. id end
  return #keys == 0 or call('EXISTS', unpack(keys)) == #keys
end

-- Writes that the worker listens, where it has a connection that takes its wake-ups: the first one says so to itself.
-- Returns whether it has.
local function keep_listening()
  if req.listens and send_wake_up(req.worker, '') then
    call('ZADD', P .. 'listeners', now + LISTENS_MS, req.worker)
    return true
  end
  call('ZREM', P .. 'listeners', req.worker)
  return false
end

-- The queues in which something is due that nobody was told of, or that nobody came to; and whether that was told by a
-- bell. The worker that looks begins them itself: for the moment other looks leave them to it.
local function find_work()
  local queues, unanswered = {}, false
  local due = call('ZRANGEBYSCORE', P .. 'wake', '-inf', now, 'WITHSCORES')
  for i = 1, #due, 2 do
    local queue, waits = due[i], tonumber(due[i + 1]) <= now - UNHEARD_MS
    local rung = call('EXISTS', P .. 'bell:' .. queue) == 1
    if waits or (not rung and set_bell(queue .. ':look', UNHEARD_MS)) then queues[#queues + 1] = queue end
    unanswered = unanswered or (waits and rung)
  end
  return queues, unanswered
end

local function look_reply(queues, unanswered, listens, wait_ms, known, since, empty, subscriptions_version, silent, format,
  shards)
  return {queues, unanswered, listens, wait_ms, known, since, empty, subscriptions_version, silent, format, shards}
end

call('ZADD', P .. 'workers', now, req.worker)
call('ZREMRANGEBYSCORE', P .. 'workers', '-inf', now - FORGET_MS)
keep_version()
call('ZREMRANGEBYSCORE', P .. 'listeners', '-inf', now - FORGET_MS)
local listens = keep_listening()
local queues, unanswered = find_work()
local next_at = first_score(P .. 'wake')
local wait_ms = next_at and math.max(next_at - now, 0) or -1
local version = call('HGET', P .. 'subscriptions', 'version')
local since, empty, format, shards = in_use_since(req.since)
return cmsgpack.pack(look_reply(queues, unanswered, listens, wait_ms, knows_jobs(), since, empty,
  tonumber(version or 0), silent_workers(), format, shards))
