-- What people do. Each act is an entry of one stream: who did what to what, why, and when.
local AUDIT_ENTRIES = 50000  -- about; the oldest go

local function write_audit(act, what, before)
  call('XADD', P .. 'audit', 'MAXLEN', '~', AUDIT_ENTRIES, '*', 'act', act, 'what', what, 'before', before, 'by', req.by,
    'why', req.why)
end

-- Returns what was done, by whom and why: "cancelled by anna: wrong price".
local function describe_act(done) return done .. ' by ' .. req.by .. (req.why ~= '' and ': ' .. req.why or '') end
