#!lua flags=allow-oom
-- Settles, then claims for the slots that this made free.
-- req: {settle = wire.SettleRequest, claim = wire.ClaimRequest}; blobs: the attempts, as JSON.
-- Answers {{"settled" | "stale" | "gone"…}, wire.ClaimReply} and the blobs, one a delivery.
local answers, gate = settle(req.settle, 2)
local reply, blobs = claim(req.claim, gate)
write_collected()
return {cmsgpack.pack({answers, reply}), unpack(blobs)}
