#!lua flags=allow-oom
-- Counts wrong credentials of one peer in fixed windows: of one login ('' where they name none), and of all of a kind.
-- What others send is not counted with it, so nobody locks anybody else out. Correct ones are not counted. req: {kind,
-- peer, login, correct, most, ms, most_of_all, ms_of_all}. Answers for how many milliseconds the login, and the whole
-- kind, must wait when they come from this peer; 0: not.
local of_login = P .. 'knocks:' .. req.peer .. ':' .. req.login
local of_all = P .. 'knocks:' .. req.peer .. ':all:' .. req.kind

local function wait_ms(counter, most)
  return tonumber(call('GET', counter) or 0) >= most and math.max(call('PTTL', counter), 1) or 0
end

local function count_wrong(counter, ms)
  if call('INCR', counter) == 1 then call('PEXPIRE', counter, ms) end
end

local login_ms, all_ms = req.login ~= '' and wait_ms(of_login, req.most) or 0, wait_ms(of_all, req.most_of_all)
if not req.correct and login_ms == 0 and all_ms == 0 then
  if req.login ~= '' then count_wrong(of_login, req.ms) end
  count_wrong(of_all, req.ms_of_all)
end
return cmsgpack.pack({login_ms, all_ms})
