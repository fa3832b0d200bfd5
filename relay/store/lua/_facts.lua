-- What the relay tells of itself: transitions that some route asks for (`facts`) become receipts of its own source, in the
-- script that made them. Of what is alike the first is told at once; what follows within a window is counted, and told
-- with its number when the window ends (end_fact_groups.lua). A route that asks for each gets each, besides.
local OWN_SOURCE = '_relay'
local GROUP_MS = 300000
-- A fact about what became of a fact is told, too: of an alert that did not arrive. What becomes of that is not.
local MOST_DEPTH = 2
-- What was delivered is told to the routes that follow its route, each alone, with its event: so deliveries make chains.
local MOST_CHAINED = 5

local facts = {}

local function write_facts()
  local asked, ids, written = {}, {}, 0

  local function text(n) return string.format('%.0f', n) end

  -- Returns how a kind of facts is asked for: 'grouped', 'each' or both; '' where no route does.
  local function modes_of(kind)
    asked[kind] = asked[kind] or call('HGET', P .. 'facts', kind) or ''
    return asked[kind]
  end

  -- Returns an id in the order of time, as every receipt has: a version 7 UUID.
  local function make_id(fact)
    written = written + 1
    local digest = redis.sha1hex(table.concat({P, fact.kind, fact.group, time[1], time[2], written}, '|'))
    local at = string.format('%08x%04x', math.floor(now / 65536), now % 65536)
    return table.concat({string.sub(at, 1, 8), string.sub(at, 9, 12), '7' .. string.sub(digest, 1, 3),
      '8' .. string.sub(digest, 4, 6), string.sub(digest, 7, 18)}, '-')
  end

  -- Stores a fact as a receipt. `n`: of how many transitions it tells, the first of them at `since`.
  local function store_fact(fact, n, since, each)
    local id, views = fact.id or make_id(fact), fact.views
    views.fact = {kind = fact.kind, at = text(now), count = text(n), since = text(since), each = each and '1' or '0'}
    local body, more = cjson.encode(views), {}
    if fact.original then more = {'by', fact.delivery, 'orig', fact.original} end
    if fact.chained > 0 then more[#more + 1], more[#more + 2] = 'chained', fact.chained end
    call('SET', P .. 'b:' .. id, body)
    call('HSET', P .. 'r:' .. id, 'src', OWN_SOURCE, 'at', now, 'size', #body, 'state', 'accepted', 'open', 1, 'ct',
      'application/json', 'ua', '', 'rq', '', 'depth', fact.depth, unpack(more))
    ids[#ids + 1] = now
    ids[#ids + 1] = id
    count('receipt|' .. OWN_SOURCE .. '|accepted')
    count('bytes|' .. OWN_SOURCE, #body)
  end

  -- The windows of facts that are alike: {until, n, since, fact}, n of them not told yet, of which `fact` is the last.
  local function read_group(group)
    local packed = call('HGET', P .. 'fact_groups', group)
    return packed and cmsgpack.unpack(packed) or {0, 0, now}
  end

  local function write_group(group, row) call('HSET', P .. 'fact_groups', group, cmsgpack.pack(row)) end

  local function group_fact(fact)
    local ends, n, since = unpack(read_group(fact.group))
    n, since = n + 1, n == 0 and now or since
    if ends > now then return write_group(fact.group, {ends, n, since, fact}) end
    store_fact(fact, n, since)
    write_group(fact.group, {now + GROUP_MS, 0, now})
  end

  -- The views of a delivery and of what it is of, and how it came to be.
  local function views_of_delivery(id)
    local event, source, route, sink, state, reason, attempts, cause =
      unpack(call('HMGET', P .. 'd:' .. id, 'ev', 'src', 'route', 'sink', 'state', 'reason', 'att', 'cause'))
    local receipt, index = string.match(event, '^([^.]*)%.(.*)$')
    local of_event, erased, depth, chained =
      unpack(call('HMGET', P .. 'r:' .. receipt, 'e:' .. index, 'x:' .. index, 'depth', 'chained'))
    local name, entity, entity_id = unpack(of_event and cjson.decode(of_event) or {'', '', ''})
    local delivery = {id = id, event = name, event_id = event, entity = entity, entity_id = entity_id, source = source,
      route = route, sink = sink, state = state, reason = reason or '', cause = cause or '', attempts = attempts}
    local views = {delivery = delivery, source = {name = source},
      sink = {name = sink, type = call('HGET', P .. 'sinks', sink) or ''}}
    return views, {group = sink .. '|' .. (cause or ''), depth = tonumber(depth or 0), chained = tonumber(chained or 0),
      erased = erased}
  end

  -- Returns what the sink answered to the attempt that delivered it, as far as its story has it.
  local function answer_of(id)
    local story = call('LRANGE', P .. 'a:' .. id, 0, -1)
    for i = #story, 1, -1 do
      local attempt = string.match(story[i], '^%d+|delivered|(.*)$')
      local read = attempt and cjson.decode(attempt)
      if read and read.number > 0 then
        local status = type(read.status) == 'number' and text(read.status) or ''
        return {status = status, text = read.response or '', id = read.provider_id or ''}
      end
    end
    return {status = '', text = '', id = ''}
  end

  -- The id of the fact that a delivery was delivered: it follows from that alone, so the same is told once.
  local function chained_id(id, generation, created_at)
    local digest = redis.sha1hex(table.concat({P, 'delivered', id, generation}, '|'))
    local at = string.format('%08x%04x', math.floor(created_at / 65536), created_at % 65536)
    return table.concat({string.sub(at, 1, 8), string.sub(at, 9, 12), '7' .. string.sub(digest, 1, 3),
      '8' .. string.sub(digest, 4, 6), string.sub(digest, 7, 18)}, '-')
  end

  -- Tells of a delivery that was delivered, where a route follows its route. Its event stays where it is: the fact refers
  -- to it, and retention keeps the hook for as long as the fact is there (_retiring.lua).
  local function tell_delivered(id)
    local record = P .. 'd:' .. id
    local event, route, generation, created_at, led = unpack(call('HMGET', record, 'ev', 'route', 'gen', 'at', 'led'))
    if modes_of('delivered|' .. route) == '' then return end
    local told = chained_id(id, generation or 0, created_at)
    if call('EXISTS', P .. 'r:' .. told, P .. 'p:' .. told, P .. 'retired:' .. told) > 0 then return end
    local views, of = views_of_delivery(id)
    if of.erased then return end  -- what would follow is about nobody any more
    if of.chained >= MOST_CHAINED then return call('HSET', record, 'led', '') end
    views.answer = answer_of(id)
    store_fact({kind = 'delivered', id = told, views = views, depth = of.depth, chained = of.chained + 1, delivery = id,
      original = event}, 1, now, false)
    call('HSET', record, 'led', (led and led ~= '') and led .. ' ' .. told or told)
    call('HSET', P .. 'r:' .. receipt_of(event), 'led', 1)
  end

  local function complete(fact)
    fact.depth, fact.chained = 1, 0
    if fact.delivery then
      local views, of = views_of_delivery(fact.delivery)
      fact.views, fact.group, fact.depth, fact.chained = views, of.group, of.depth + 1, of.chained
    end
    fact.group = fact.kind .. '|' .. fact.group
  end

  for _, fact in ipairs(facts) do
    local modes = fact.kind == 'delivered' and '' or modes_of(fact.kind)
    if fact.kind == 'delivered' then
      tell_delivered(fact.delivery)
    elseif fact.n then  -- a window of it has ended
      store_fact(fact, fact.n, fact.since)
    elseif modes ~= '' then
      complete(fact)
      if fact.depth <= MOST_DEPTH then
        if string.find(modes, 'each', 1, true) then store_fact(fact, 1, now, true) end
        if string.find(modes, 'grouped', 1, true) then group_fact(fact) end
      end
    end
  end
  if #ids == 0 then return end
  call('ZADD', P .. 'receipts', unpack(ids))
  call('ZADD', P .. 'due:inbox', unpack(ids))
  if wake('inbox', now) then wake_listener(listeners(), 1, 'inbox') end
end

-- Notes a fact: {kind, delivery, or group and views}, or one whose window has ended, with how many it is of, `n`.
local function add_fact(fact)
  facts[#facts + 1] = fact
  write_noted = write_facts
end

-- Notes what became of a delivery.
local function note_delivery_fact(kind, id) add_fact({kind = kind, delivery = id}) end

-- Notes what happened to something else: `group` names what, `views` what conditions and templates see of it.
local function note_fact(kind, group, views) add_fact({kind = kind, group = group, views = views}) end
