#!lua flags=allow-oom
-- Settles, then claims for the slots that this made free.
-- req: {settle = settling.SettleRequest, claim = claims.ClaimRequest}; blobs: the attempts, as JSON.
-- Answers {{"settled" | "stale" | "gone"…}, claims.ClaimReply} and the blobs, one a delivery.
local answers, gate = settle(req.settle, 2)
local reply, blobs = claim(req.claim, gate)
write_collected()
return {cmsgpack.pack({answers, reply}), unpack(blobs)}
