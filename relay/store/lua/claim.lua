#!lua flags=allow-oom
-- Claims. req: what `claim` wants. Answers {wait_ms, {buried…}, {{id, fields…}…}, batched} and the blobs, one an item.
local wait_ms, buried, items, batched, blobs = claim(req)
write_collected()
return {cmsgpack.pack({wait_ms, buried, items, batched}), unpack(blobs)}
