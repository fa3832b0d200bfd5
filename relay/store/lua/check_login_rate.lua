#!lua flags=allow-oom
-- Counts wrong credentials, in fixed windows: of one login ('': none was said) and of all of a kind, so that who
-- guesses hashes locks no token out. Right ones are not counted. Answers for how long the login, and all, are locked
-- out (ms). req: {kind, login, right, most, ms, most_of_all, ms_of_all}.
local own, all = P .. 'knocks:' .. req.login, P .. 'knocks:all:' .. req.kind

local function locked(key, most)
  return tonumber(call('GET', key) or 0) >= most and math.max(call('PTTL', key), 1) or 0
end

local function count_one(key, ms)
  if call('INCR', key) == 1 then call('PEXPIRE', key, ms) end
end

local waits = {req.login ~= '' and locked(own, req.most) or 0, locked(all, req.most_of_all)}
if not req.right and waits[1] == 0 and waits[2] == 0 then
  if req.login ~= '' then count_one(own, req.ms) end
  count_one(all, req.ms_of_all)
end
return cmsgpack.pack(waits)
