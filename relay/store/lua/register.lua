#!lua flags=allow-oom
-- Remembers the names of sources and sinks, and the newest format that was written. req: {sources = {name…}, sinks =
-- {{name, type}…}, max_pending = {sink = n…}, shares = {source = n…} or false (they
-- stay as they are), facts = {kind = modes…} that routes ask for, or false, format}, in the order of the file.
if #req.sources > 0 then call('SADD', P .. 'sources', unpack(req.sources)) end
for _, sink in ipairs(req.sinks) do call('HSET', P .. 'sinks', unpack(sink)) end
for sink, most in pairs(req.max_pending) do call('HSET', P .. 'max_pending', sink, most) end
if req.shares then
  call('DEL', P .. 'shares')
  for source, share in pairs(req.shares) do call('HSET', P .. 'shares', source, tostring(share)) end
end
if req.facts then
  call('DEL', P .. 'facts')
  for kind, modes in pairs(req.facts) do call('HSET', P .. 'facts', kind, modes) end
  for _, group in ipairs(call('HKEYS', P .. 'fact_groups')) do
    local modes = req.facts[string.match(group, '^[^|]*')] or ''
    if not string.find(modes, 'grouped', 1, true) then call('HDEL', P .. 'fact_groups', group) end
  end
end
local life = P .. 'life'
if tonumber(call('HGET', life, 'format') or 0) < req.format then call('HSET', life, 'format', req.format) end
