-- Adds one batch: all of it or nothing. Redis does not roll a script back, so everything that can
-- fail is checked before the first write. Numbers stay text: a Lua number is a double.
-- KEYS: meta positions rejected round blocks states answers order minutes shares slices closed-round
-- The work of slice N is in the key `<ARGV[1]>N`.
local meta, positions, rejected, round, blocks, states, answers, order, minutes, shares, slices, closed =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11], KEYS[12]

for i = 1, 12 do
  local kind = redis.call('TYPE', KEYS[i]).ok
  local wanted = (i == 8) and 'zset' or 'hash'
  if kind ~= 'none' and kind ~= wanted then return {'type', KEYS[i], kind, wanted} end
end

local at = 0
local function take() at = at + 1; return ARGV[at] end
local function pairs_of(width)
  local list = {}
  for i = 1, tonumber(take()) do
    local row = {}
    for j = 1, width do row[j] = take() end
    list[i] = row
  end
  return list
end

local slice_prefix = take()
local unit, first = take(), take()
local moves = pairs_of(3)    -- stream, from, to
local sums = pairs_of(3)     -- key index, field, number: all that is added
local size, kept = take(), take() -- of a slice, '0': none; work whose slices are kept
local block = pairs_of(6)    -- hash, time, json, scheme, window, finder: at most one
local outcomes = pairs_of(4) -- hash, state, rank, answers

local known = redis.call('HGET', meta, 'unit')
if known and known ~= unit then return {'unit', known} end
local begun = redis.call('EXISTS', positions) == 1
-- Without the positions all journals would count again.
if known and not begun then return {'lost', positions, meta} end
if begun and not known then return {'lost', meta, positions} end
if not known and first ~= '1' then return {'moved'} end -- emptied since it was looked at

local moved, there = false, {'moved'}
for _, move in ipairs(moves) do
  local offset = redis.call('HGET', positions, move[1]) or '0'
  there[#there + 1] = move[1]
  there[#there + 1] = offset
  if offset ~= move[2] then moved = true end
end
if moved then return there end

-- 9.2e18 is a little below 2^63: doubles are not exact there, HINCRBY would fail in the middle.
local function check(key, field, number)
  local before = redis.call('HGET', key, field)
  if before then
    -- As HINCRBY reads it: no sign, no leading zero.
    if before ~= '0' and not string.match(before, '^[1-9]%d*$') then return {'number', key, field, before} end
    if tonumber(before) + tonumber(number) > 9.2e18 then return {'overflow', key, field} end
  elseif tonumber(number) > 9.2e18 then return {'overflow', key, field} end
end
for _, sum in ipairs(sums) do
  local wrong = check(KEYS[tonumber(sum[1])], sum[2], sum[3])
  if wrong then return wrong end
end
-- Slices with their sums; what comes goes into the newest.
local function natural(text, most)
  return #text <= most and (text == '0' or string.match(text, '^[1-9]%d*$'))
end
local sizes, newest, seed = {}, 0, nil
local all = known and redis.call('HGETALL', slices) or {}
for i = 1, #all, 2 do
  if not natural(all[i], 15) or not natural(all[i + 1], 19) then
    return {'number', slices, all[i], all[i + 1]}
  end
  local n = tonumber(all[i])
  sizes[n] = tonumber(all[i + 1])
  newest = math.max(newest, n)
end
local slicing = size ~= '0'
-- Where PPLNS begins, the open round is its first slice.
if slicing and #all == 0 then
  seed = known and redis.call('HGETALL', round) or {}
  sizes[0] = 0
  for i = 1, #seed, 2 do
    if not natural(seed[i + 1], 19) then return {'number', round, seed[i], seed[i + 1]} end
    sizes[0] = sizes[0] + tonumber(seed[i + 1])
  end
  -- The batch comes on top.
  if sizes[0] > 4.6e18 then return {'overflow', slices, '0'} end
end
local function wrong_with(n)
  local key = slice_prefix .. n
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'none' and kind ~= 'hash' then return {'type', key, kind, 'hash'} end
  if kind == 'none' and (sizes[n] or 0) > 0 then return {'lost', key, slices} end
end
local slice = slice_prefix .. newest
if slicing and not seed then
  local wrong = wrong_with(newest)
  if wrong then return wrong end
  for _, sum in ipairs(sums) do
    if tonumber(sum[1]) == 4 then
      local wrong = check(slice, sum[2], sum[3]) or check(slices, tostring(newest), sum[3])
      if wrong then return wrong end
    end
  end
end
-- The oldest of the newest slices that hold so much.
local function oldest(wanted)
  local n, sum = newest, 0
  while true do
    sum = sum + (sizes[n] or 0)
    if sum >= wanted or not sizes[n - 1] then return n end
    n = n - 1
  end
end
local found = block[1]
local new = found and (not known or redis.call('HEXISTS', blocks, found[1]) == 0)
if new then
  local wrong = check(meta, 'blocks', '1')
  if wrong then return wrong end
  if known and redis.call('EXISTS', closed) == 1 then return {'exists', closed} end
end

local scheme = new and found[4]
local from
if scheme == 'pplns' then
  local wanted = tonumber(found[5])
  for _, sum in ipairs(slicing and sums or {}) do
    if tonumber(sum[1]) == 4 then wanted = wanted - tonumber(sum[3]) end
  end
  from = oldest(wanted)
  for n = from, newest do
    local wrong = not seed and wrong_with(n)
    if wrong then return wrong end
  end
end

-- What lies about without positions is nobody's. (A deletion is allowed to a full server, and then
-- all that follows in the script is.)
if not known and redis.call('EXISTS', unpack(KEYS)) > 0 then
  for _, n in ipairs(redis.call('HKEYS', slices)) do redis.call('DEL', slice_prefix .. n) end
  redis.call('DEL', unpack(KEYS))
end
-- The window's work, with this batch's: first, so that a slice with a damaged number is found in
-- time.
if from then
  local wrong
  local function copy(field, number)
    local reply = redis.pcall('HINCRBY', closed, field, number)
    if type(reply) == 'table' and reply.err then wrong = wrong or reply end
  end
  for _, sum in ipairs(slicing and sums or {}) do
    if tonumber(sum[1]) == 4 then copy(sum[2], sum[3]) end
  end
  for n = from, newest do
    local work = seed or redis.call('HGETALL', slice_prefix .. n)
    for i = 1, #work, 2 do copy(work[i], work[i + 1]) end
  end
  if wrong then
    redis.call('DEL', closed)
    return wrong
  end
end
redis.call('HSET', meta, 'unit', unit)
if seed then
  redis.call('DEL', slice)
  redis.call('HSET', slices, 0, '0')
  for i = 1, #seed, 2 do
    redis.call('HSET', slice, seed[i], seed[i + 1])
    redis.call('HINCRBY', slices, 0, seed[i + 1])
  end
end
for _, sum in ipairs(sums) do redis.call('HINCRBY', KEYS[tonumber(sum[1])], sum[2], sum[3]) end
if slicing then
  for _, sum in ipairs(sums) do
    if tonumber(sum[1]) == 4 then
      redis.call('HINCRBY', slice, sum[2], sum[3])
      redis.call('HINCRBY', slices, newest, sum[3])
    end
  end
  sizes[newest] = tonumber(redis.call('HGET', slices, newest) or '0')
  if sizes[newest] >= tonumber(size) then
    newest = newest + 1
    sizes[newest] = 0
    redis.call('HSET', slices, newest, '0')
    redis.call('DEL', slice_prefix .. newest)
    local least = oldest(tonumber(kept))
    for n in pairs(sizes) do
      if n < least then
        redis.call('DEL', slice_prefix .. n)
        redis.call('HDEL', slices, n)
      end
    end
  end
end
if new then
  if scheme == 'solo' then
    redis.call('HSET', closed, found[6], '1')
  elseif scheme == 'pplns' then
    redis.call('DEL', round)
  elseif redis.call('EXISTS', round) == 1 then
    redis.call('RENAME', round, closed)
  end
  redis.call('HSET', blocks, found[1], found[3])
  redis.call('ZADD', order, found[2], found[1])
  redis.call('HINCRBY', meta, 'blocks', '1')
  if scheme ~= 'solo' then redis.call('HSET', meta, 'round_started', found[2]) end
end
local rank = {unknown = 1, rejected = 2, accepted = 3}
for _, outcome in ipairs(outcomes) do
  local before = redis.call('HGET', states, outcome[1])
  if not before or tonumber(outcome[3]) >= (rank[before] or 0) then
    redis.call('HSET', states, outcome[1], outcome[2])
    redis.call('HSET', answers, outcome[1], outcome[4])
  end
end
for _, move in ipairs(moves) do redis.call('HSET', positions, move[1], move[3]) end
return {'done'}
