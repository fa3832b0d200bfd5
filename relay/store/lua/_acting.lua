-- What people do. Each act is an entry of one stream: who did what to what, why, and when. What a bulk action does to an
-- item is no entry of its own: the item refers to the action, which is in the stream, and is kept with that.
local AUDIT_ENTRIES = 50000  -- about; the oldest go
local ACTION = req.action and req.action ~= '' and req.action

local function write_audit(act, what, before)
  if ACTION then return end
  call('XADD', P .. 'audit', 'MAXLEN', '~', AUDIT_ENTRIES, '*', 'act', act, 'what', what, 'before', before, 'by', req.by,
    'why', req.why)
end

-- Returns what was done, by whom and why: "cancelled by anna: wrong price".
local function describe_act(done)
  return done .. ' by ' .. req.by .. (req.why ~= '' and ': ' .. req.why or '') .. (ACTION and ' (action ' .. ACTION .. ')' or '')
end

-- Returns why a bulk action may not do anything to an item now, nil where it may: it does not run any more, or has
-- touched the item before, and the worker that did was killed before it could say so.
local function action_obstacle(id)
  if not ACTION then return nil end
  if call('HGET', P .. 'action:' .. ACTION, 'state') ~= 'running' then return 'stopped' end
  return call('ZSCORE', P .. 'items:' .. ACTION, id) and 'touched' or nil
end

-- Lists a bulk action with those that have ended, which are removed in time. Nobody has to see to it any more.
local function list_ended(id)
  call('ZREM', P .. 'erasures', id)
  call('ZADD', P .. 'actions:ended', now, id)
end

-- Writes that a bulk action goes on: what killed the workers that had its job before was not this.
local function note_progress()
  if ACTION then call('HDEL', P .. 'j:action:' .. ACTION, 'died', 'alone') end
end

-- Writes what came of an item of a bulk action, once.
local function note_item(id, result)
  if not ACTION then return end
  local items = P .. 'items:' .. ACTION
  if call('ZADD', items, 'NX', call('ZCARD', items) + 1, id) == 0 then return end
  call('RPUSH', P .. 'results:' .. ACTION, result)
  call('HINCRBY', P .. 'action:' .. ACTION, 'n:' .. result, 1)
end
