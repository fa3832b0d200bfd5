#!lua flags=allow-oom
-- Claims. req: wire.ClaimRequest. Answers wire.ClaimReply and the blobs, one an item.
local reply, blobs = claim(req)
write_collected()
return {cmsgpack.pack(reply), unpack(blobs)}
