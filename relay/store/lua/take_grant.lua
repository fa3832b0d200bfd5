#!lua flags=allow-oom
-- Takes one more grant of each limit, or of none: for a call beyond the one that a claim was granted.
-- req: {limits = {model.Limit…}}. Answers in how many milliseconds to ask again; 0: granted.
for _, limit in ipairs(req.limits) do
  local free, at = free_grants(limit, 1)
  if free < 1 then return cmsgpack.pack(math.max(at - now, 1)) end
end
for _, limit in ipairs(req.limits) do take_grants(limit, 1) end
return cmsgpack.pack(0)
