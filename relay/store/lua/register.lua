#!lua flags=allow-oom
-- Remembers the names of sources and sinks. req: {sources = {name…}, sinks = {name = type…}}.
if #req.sources > 0 then call('SADD', P .. 'sources', unpack(req.sources)) end
for name, type in pairs(req.sinks) do call('HSET', P .. 'sinks', name, type) end
