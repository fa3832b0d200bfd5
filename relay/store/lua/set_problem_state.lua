#!lua flags=allow-oom
-- Writes what a person says of an open problem, and that into the audit. req: {id, state ('seen', 'muted' or 'new'),
-- until_ms (0: no end), act, by, why}.
local packed = call('HGET', P .. 'problems', req.id)
local note = packed and cjson.decode(packed) or {first_at = now}
write_audit(req.act, 'problem ' .. req.id, note.state or 'new')
note.state, note.by, note.why, note.at = req.state, req.by, req.why, now
note.muted_until = req.until_ms > 0 and req.until_ms or nil
call('HSET', P .. 'problems', req.id, cjson.encode(note))
