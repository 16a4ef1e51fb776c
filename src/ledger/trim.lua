-- Keeps the tally bounded: minutes before ARGV[1] go, and blocks beyond the newest ARGV[2].
-- KEYS: minutes shares order blocks states answers; ARGV[3]: prefix of closed rounds
for i = 1, 2 do
  local old = {}
  for _, minute in ipairs(redis.call('HKEYS', KEYS[i])) do
    if (tonumber(minute) or 0) < tonumber(ARGV[1]) then old[#old + 1] = minute end
  end
  for _, minute in ipairs(old) do redis.call('HDEL', KEYS[i], minute) end
end
local beyond = redis.call('ZCARD', KEYS[3]) - tonumber(ARGV[2])
if beyond > 0 then
  for _, hash in ipairs(redis.call('ZRANGE', KEYS[3], 0, beyond - 1)) do
    redis.call('HDEL', KEYS[4], hash)
    redis.call('HDEL', KEYS[5], hash)
    redis.call('HDEL', KEYS[6], hash)
    redis.call('DEL', ARGV[3] .. hash)
    redis.call('ZREM', KEYS[3], hash)
  end
end
return 1
