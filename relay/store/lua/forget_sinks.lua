#!lua flags=allow-oom
-- Forgets sinks of subscriptions that are gone, with their counters, once nothing of them is left to do or to decide.
-- req: {sinks = {name…}}. Answers the names of those that it forgot.
local function has_work(sink)
  for _, list in ipairs({'pending:', 'held:', 'dead:', 'due:sink:', 'leased:sink:', 'put_off:'}) do
    if call('EXISTS', P .. list .. sink) == 1 then return true end
  end
  return false
end

local gone, names = {}, {}
for _, sink in ipairs(req.sinks) do
  if not has_work(sink) then
    gone[sink], names[#names + 1] = true, sink
    call('HDEL', P .. 'sinks', sink)
    call('HDEL', P .. 'max_pending', sink)
    call('UNLINK', P .. 'outcomes:' .. sink, P .. 'gate:sink:' .. sink, P .. 'ahead:sink:' .. sink)
    call('ZREM', P .. 'wake', 'sink:' .. sink)
  end
end
if #names > 0 then
  add_up_counted()
  for _, field in ipairs(call('HKEYS', P .. 'stats')) do
    if gone[string.match(field, '^[^|]*|([^|]*)')] then call('HDEL', P .. 'stats', field) end
  end
  for _, field in ipairs(call('HKEYS', P .. 'openings')) do
    if gone[string.match(field, '^sink:([^|]*)')] then call('HDEL', P .. 'openings', field) end
  end
end
return cmsgpack.pack(names)
