#!lua flags=allow-oom
-- Gives a lock back, where it is still its owner's. req: {key, owner}. Answers whether it was.
local lock = P .. 'note:' .. req.key
if call('GET', lock) ~= req.owner then return cmsgpack.pack(false) end
call('DEL', lock)
return cmsgpack.pack(true)
