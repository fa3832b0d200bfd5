#!lua flags=no-writes
-- Reads how some sinks stand. req: {sinks}. Answers for each what came of its attempts, alone where nothing of it waits, is
-- held or dead and its gate is open; else the counts, the first of each set with its score, and the fields of the gate
-- before that. A home lends slots to other shards: their leases are not counted.
local function read_first(key) return call('ZRANGE', key, 0, 0, 'WITHSCORES') end

local function count_own(key)
  local own = 0
  for _, id in ipairs(call('ZRANGE', key, 0, -1)) do
    if string.sub(id, 1, 5) ~= 'lent|' then own = own + 1 end
  end
  return own
end

local answer = {}
for i, sink in ipairs(req.sinks) do
  local queue = 'sink:' .. sink
  local pending, due, leased = P .. 'pending:' .. sink, P .. 'due:' .. queue, P .. 'leased:' .. queue
  local held, dead, put_off = P .. 'held:' .. sink, P .. 'dead:' .. sink, P .. 'put_off:' .. sink
  local ordered, gate = P .. 'ordered:' .. sink, P .. 'gate:' .. queue
  local outcomes = call('HGETALL', P .. 'outcomes:' .. sink)
  if call('EXISTS', pending, due, leased, held, dead, put_off, ordered, gate) == 0 then
    answer[i] = {outcomes}
  else
    answer[i] = {
      call('ZCARD', pending), call('ZCARD', due), count_own(leased), call('ZCARD', held), call('ZCARD', dead),
      call('ZCARD', put_off), call('ZCARD', ordered), read_first(due), read_first(pending), read_first(put_off),
      call('HGETALL', gate), outcomes,
    }
  end
end
return answer
