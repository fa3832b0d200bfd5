-- What is put off has no record: its receipt names its sink, and that sink's set its event and route.
local put_off_rows = {}  -- of a sink and an arrival: id -> {member, event, route}

local function read_put_off_rows(sink, accepted_at)
  local place = sink .. '|' .. accepted_at
  if not put_off_rows[place] then
    put_off_rows[place] = {}
    for _, member in ipairs(call('ZRANGEBYSCORE', P .. 'put_off:' .. sink, accepted_at, accepted_at)) do
      local id, event, route = string.match(member, '^([^|]*)|([^|]*)|(.*)$')
      put_off_rows[place][id] = {member = member, event = event, route = route}
    end
  end
  return put_off_rows[place]
end

-- Returns of a delivery that is put off what `read_delivery` does, and how its sink's set calls it; nil where it is not.
local function read_put_off(receipt, id)
  local source, accepted_at, sink = unpack(call('HMGET', P .. 'r:' .. receipt, 'src', 'at', 'p:' .. id))
  local row = sink and read_put_off_rows(sink, accepted_at)[id]
  if row then return row.event, source, sink, 'put-off', accepted_at, row.route, '', row.member end
end
