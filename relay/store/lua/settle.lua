#!lua flags=allow-oom
-- Settles. req: settling.SettleRequest; blobs: the attempts, as JSON. Answers "settled" | "stale" | "gone" for each.
local answers = settle(req, 2)
update_wake(req.queue)
write_collected()
return cmsgpack.pack(answers)
