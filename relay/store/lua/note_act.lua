#!lua flags=allow-oom
-- Writes into the audit what changes nothing in the store by itself. req: {act, what, before, by, why}.
write_audit(req.act, req.what, req.before)
return cmsgpack.pack(true)
