-- What became of gates: the newest changes of each, with their causes, for people.
local MOST_CHANGES = 100

-- Changes that are alike in a row become one, the last, with how many they were and when the first was.
local function write_history(queue, change, cause, route, by)
  local key = P .. 'history:' .. queue
  local entry = {at = now, first_at = now, times = 1, change = change, cause = cause, route = route or '', by = by or ''}
  local last = call('LINDEX', key, -1)
  local before = last and cjson.decode(last)
  if before and before.change == change and before.route == entry.route and change == 'still closed' then
    entry.times, entry.first_at = before.times + 1, before.first_at
    return call('LSET', key, -1, cjson.encode(entry))
  end
  if call('RPUSH', key, cjson.encode(entry)) > MOST_CHANGES then call('LPOP', key) end
end
