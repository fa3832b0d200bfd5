#!lua flags=allow-oom
-- Claims. req: claims.ClaimRequest. Answers claims.ClaimReply, the version of the subscriptions where receipts were claimed,
-- and the blobs, one an item. What was subscribed before a receipt arrived is in that version.
local reply, blobs = claim(req)
write_collected()
local version = req.kind == 'r' and #blobs > 0 and tonumber(call('HGET', P .. 'subscriptions', 'version')) or 0
return {cmsgpack.pack(reply), version, unpack(blobs)}
