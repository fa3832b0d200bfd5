#!lua flags=allow-oom
-- In the home of a sink: takes the reports of another shard's attempts, and lends it what may leave now.
-- req: {queue, borrower (a shard), reports = {lending.ReportRow…}, breaker, claim = claims.ClaimRequest}.
-- Answers {{mark…}, the place of the report whose delivery is tried first (0: none), lending.LendReply}.
local marks, tried_first = report(req.queue, req.reports, req.breaker)
local reply = lend(req.claim, req.borrower)
update_wake_and_call(req.queue)
write_collected()
return cmsgpack.pack({marks, tried_first, reply})
