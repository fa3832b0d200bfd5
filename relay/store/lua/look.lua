#!lua flags=allow-oom
-- A worker's look at the store: writes that it lives, and sets the bells of the queues that are worth a look now.
-- req: {worker, jobs = {id…}, silent_ms, since}. Answers a wire.LookReply.
local FORGET_MS = 3600000

-- Of the workers that were seen within the hour, those not seen for `silent_ms`: {name, milliseconds}.
local function silent_workers()
  local silent = {}
  local seen = call('ZRANGEBYSCORE', P .. 'workers', '-inf', now - req.silent_ms, 'WITHSCORES')
  for i = 1, #seen, 2 do silent[#silent + 1] = {seen[i], now - tonumber(seen[i + 1])} end
  return silent
end

-- Since when the store is in use, and whether it was found empty by this look. `known`: what the worker knows of it; a
-- store that was emptied since does not.
local function in_use_since(known)
  local life = P .. 'life'
  local since = call('HGET', life, 'since')
  if since then return tonumber(since), false end
  local oldest = known == 0 and first_score(P .. 'receipts')
  call('HSET', life, 'since', oldest or now)
  if known > 0 then call('HSET', life, 'emptied', now) end
  return oldest or now, not oldest
end

-- Whether the store knows the jobs: one that was emptied has to be told everything again.
local function knows_jobs()
  for _, id in ipairs(req.jobs) do
    if call('EXISTS', P .. 'j:' .. id) == 0 then return false end
  end
  return true
end

local function look_reply(queues, wait_ms, known, since, empty, subscriptions_version, silent, format)
  return {queues, wait_ms, known, since, empty, subscriptions_version, silent, format}
end

call('ZADD', P .. 'workers', now, req.worker)
call('ZREMRANGEBYSCORE', P .. 'workers', '-inf', now - FORGET_MS)
local queues = {}
for _, queue in ipairs(call('ZRANGEBYSCORE', P .. 'wake', '-inf', now)) do
  if set_bell(queue) then queues[#queues + 1] = queue end
end
local next_at = first_score(P .. 'wake')
local version = call('HGET', P .. 'subscriptions', 'version')
local since, empty = in_use_since(req.since)
return cmsgpack.pack(look_reply(queues, next_at and math.max(next_at - now, 0) or -1, knows_jobs(), since, empty,
  tonumber(version or 0), silent_workers(), tonumber(call('HGET', P .. 'life', 'format') or 0)))
