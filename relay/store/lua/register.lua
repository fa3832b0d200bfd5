#!lua flags=allow-oom
-- Remembers the names of sources and sinks. req: {sources = {name…}, sinks = {{name, type}…}}, in the order of the file.
if #req.sources > 0 then call('SADD', P .. 'sources', unpack(req.sources)) end
for _, sink in ipairs(req.sinks) do call('HSET', P .. 'sinks', unpack(sink)) end
