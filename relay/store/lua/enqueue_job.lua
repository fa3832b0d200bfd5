#!lua flags=allow-oom
-- Makes a job unless it is there. req: {id, kind, args, delay_ms}.
enqueue_job(req.id, req.kind, req.args, now + req.delay_ms)
