#!lua flags=allow-oom
-- Writes values that workers share: a full store must not stop what is in it from being worked off.
-- req: {keys = {key…}, ttl_ms, only_new}; blobs: the values. Answers whether all were written.
local written = true
for i, key in ipairs(req.keys) do
  local options = {'PX', req.ttl_ms, req.only_new and 'NX' or nil}
  written = call('SET', P .. 'note:' .. key, ARGV[i + 1], unpack(options)) and written
end
return cmsgpack.pack(written and true or false)
