#!lua flags=allow-oom
-- Settles, then claims what the home of the sink, another shard, has granted: gates and limits are there.
-- req: {settle = settling.SettleRequest, claim = claims.ClaimRequest, granted = lending.Granted, blocked = {id = mark…}};
-- blobs: the attempts, as JSON.
-- Answers {{"settled" | "stale" | "gone"…}, claims.ClaimReply, {{id, mark}…} of what was blocked before} and the blobs.
local gate = copied_gate(req.claim.queue, req.granted, req.blocked)
local answers = settle(req.settle, 2, gate)
local reply, blobs = claim(req.claim, gate, req.granted)
write_collected()
return {cmsgpack.pack({answers, reply, gate.marks}), unpack(blobs)}
