#!lua flags=allow-oom
-- A drainer's turn: settles what came back, and claims for the slots which that made free.
-- req: {settle, claim}, as `settle` and `claim` have them. Answers {{"settled" | "stale" | "gone"…}, what was claimed}
-- and the blobs, one a delivery.
local answers = settle(req.settle, 2)
local claimed, blobs = claim(req.claim)
write_collected()
return {cmsgpack.pack({answers, claimed}), unpack(blobs)}
