#!lua flags=allow-oom
-- Tells what was counted of facts that are alike, where their windows have ended. A window without any ends for good.
-- req: {}. Answers how many facts were told.
local MOST = 500  -- facts of one call; the next goes on
local rows = call('HGETALL', P .. 'fact_groups')
for i = 1, #rows, 2 do
  if #facts == MOST then break end
  local group = rows[i]
  local ends, n, since, fact = unpack(cmsgpack.unpack(rows[i + 1]))
  if ends <= now and n == 0 then
    call('HDEL', P .. 'fact_groups', group)
  elseif ends <= now then
    fact.n, fact.since = n, since
    add_fact(fact)
    call('HSET', P .. 'fact_groups', group, cmsgpack.pack({now + GROUP_MS, 0, now}))
  end
end
local told = #facts
write_collected()
return cmsgpack.pack(told)
