#!lua flags=allow-oom
-- Gives back receipts that a worker does not route: another one may, or this one when it knows more.
-- req: {token, ids = {id…}, most_ms}. Answers those that have waited for `most_ms`, which are its own still.
local SOONEST_MS, LATEST_MS = 1000, 60000
local HANDED = 'handed'  -- in place of a token: what was handed over has none
local due, leased = P .. 'due:inbox', P .. 'leased:inbox'
local kept = {}
for _, id in ipairs(req.ids) do
  local token, at = unpack(call('HMGET', P .. 'r:' .. id, 'tok', 'at'))
  local age = now - tonumber(at or now)
  if at then token = token or HANDED end
  if token == req.token and age >= req.most_ms then
    kept[#kept + 1] = id
  elseif token == req.token and call('ZREM', leased, id) == 1 then
    call('HDEL', P .. 'r:' .. id, 'tok')
    call('ZADD', due, now + math.floor(math.min(math.max(age / 4, SOONEST_MS), LATEST_MS)), id)  -- the longer it waits, the rarer
  end
end
update_wake('inbox')
return cmsgpack.pack(kept)
