-- Lets a book pay, or says which one does. KEYS: claim; ARGV: book fence number, below 2^53 each.
local stored = redis.call('HMGET', KEYS[1], 'book', 'fence', 'number')
local fence, number = tonumber(stored[2]), tonumber(stored[3])
if redis.call('EXISTS', KEYS[1]) == 1 then
  if not stored[1] or not fence or not number then return {'damaged'} end
  local later = stored[1] == ARGV[1] and fence == tonumber(ARGV[2]) and number < tonumber(ARGV[3])
  if fence >= tonumber(ARGV[2]) and not later then return {'theirs', unpack(stored)} end
end
redis.call('HMSET', KEYS[1], 'book', ARGV[1], 'fence', ARGV[2], 'number', ARGV[3])
return {'ours'}
