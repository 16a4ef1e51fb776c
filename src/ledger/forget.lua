-- Forgets the streams from ARGV[3] on and adds their number to the field ARGV[1]; returns the sum.
-- Nothing in a tally that was emptied. KEYS: meta positions; ARGV[2]: a field that stays
if redis.call('HEXISTS', KEYS[1], 'unit') == 0 then return false end
redis.call('HSETNX', KEYS[2], ARGV[2], '0')
local gone = 0
for i = 3, #ARGV do gone = gone + redis.call('HDEL', KEYS[2], ARGV[i]) end
return redis.call('HINCRBY', KEYS[1], ARGV[1], gone)
