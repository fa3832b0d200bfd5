#!lua flags=allow-oom
-- Claims. req: what `claim` wants. Answers what was claimed, and the blobs, one an item.
local claimed, blobs = claim(req)
write_collected()
return {cmsgpack.pack(claimed), unpack(blobs)}
