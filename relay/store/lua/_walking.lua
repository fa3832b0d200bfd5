-- Walks sorted sets as if they were one, from the highest score and member down, from behind a cursor on. It reads from
-- a rank on, so a page costs the same wherever it begins.
local MOST_READ_AT_ONCE = 100  -- rows of a set

-- What the script has spent: one for every command, and more for a long reply. The caller stops by it.
local spent = 0
local uncounted_call = call
local function call(...)
  local reply = uncounted_call(...)
  spent = spent + 1 + (type(reply) == 'table' and #reply / 20 or 0)
  return reply
end

-- Whether one text stands before another byte by byte, as in a sorted set: `<` goes by the server's locale.
local function is_less(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

local function comes_first(row, other)
  if row.score ~= other.score then return row.score > other.score end
  return is_less(other.member, row.member)
end

-- The rank behind a cursor {score, member, taken}: the member itself may be gone. One of which only a part was taken
-- is read once more.
local function rank_behind(key, cursor)
  local score, member, taken = unpack(cursor)
  local low = call('ZCOUNT', key, '(' .. score, '+inf')
  local high = low + call('ZCOUNT', key, score, score)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local found = call('ZREVRANGE', key, middle, middle)[1]
    if is_less(member, found) or (found == member and taken == 0) then low = middle + 1 else high = middle end
  end
  return low
end

local function open_set(key, walk)
  local rank = 0
  if walk.after then
    rank = rank_behind(key, walk.after)
  elseif walk.highest then
    rank = call('ZCOUNT', key, '(' .. walk.highest, '+inf')
  end
  return {key = key, rank = rank, rows = {}, at = 1}
end

-- The next row of a set: {score, member}; nil where there is none within the walk's bounds.
local function next_row(set, walk)
  if set.at > #set.rows and not set.ended then
    local flat = call('ZREVRANGE', set.key, set.rank, set.rank + walk.read_at_once - 1, 'WITHSCORES')
    set.rows, set.at, set.rank, set.ended = {}, 1, set.rank + #flat / 2, #flat == 0
    for i = 1, #flat, 2 do set.rows[#set.rows + 1] = {member = flat[i], score = tonumber(flat[i + 1])} end
  end
  local row = set.rows[set.at]
  if row and walk.lowest and row.score < walk.lowest then return nil end
  return row
end

-- Returns a function that returns the next row of all sets, or with `true` only shows it. A walk is {keys, after, highest,
-- lowest}: after which cursor it goes on, and the scores between which it goes, where there are bounds.
local function open_walk(walk)
  walk.read_at_once = math.max(1, math.floor(MOST_READ_AT_ONCE / #walk.keys))
  local sets = {}
  for i, key in ipairs(walk.keys) do sets[i] = open_set(key, walk) end
  return function(only_shown)
    local first, first_row
    spent = spent + #sets / 50
    for _, set in ipairs(sets) do
      local row = next_row(set, walk)
      if row and (not first or comes_first(row, first_row)) then first, first_row = set, row end
    end
    if first and not only_shown then first.at = first.at + 1 end
    return first_row
  end
end
