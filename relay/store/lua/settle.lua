#!lua flags=allow-oom
-- Settles. req: what `settle` is told. Answers "settled" | "stale" | "gone" for each attempt.
local answers = settle(req, 2)
rewake(req.queue)
write_collected()
return cmsgpack.pack(answers)
