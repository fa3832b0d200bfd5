#!lua flags=allow-oom
-- Settles attempts of a sink whose home is another shard, which knows of them: gates are there.
-- req: {settle = settling.SettleRequest, granted = lending.Granted, blocked = {id = mark…}}; blobs: the attempts, as JSON.
-- Answers "settled" | "stale" | "gone" for each.
local answers = settle(req.settle, 2, copied_gate(req.settle.queue, req.granted, req.blocked))
update_wake(req.settle.queue)
write_collected()
return cmsgpack.pack(answers)
