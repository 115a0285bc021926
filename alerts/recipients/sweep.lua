-- Lets go of what is too old in some buckets, and counts the rest.
--
-- KEYS     the buckets
-- ARGV     kept, within_s, now (epoch second), second up to which a newest failure is too old
-- returns  for each {names of what is left, one after the other, recipients on the list, entries let go of}
local kept, now, oldest = tonumber(ARGV[1]), tonumber(ARGV[3]), tonumber(ARGV[4])

local function sweep(key)
  local names, gone, listed = {}, {}, 0
  local bucket = redis.call('HGETALL', key)
  for i = 1, #bucket, 2 do
    local name, stored = bucket[i], bucket[i + 1]
    if struct.unpack('<I4', stored, #stored - 11) <= oldest then
      table.insert(gone, name)
    else
      table.insert(names, name)
      if string.byte(name) % 2 == 0 and #stored == 4 + 12 * kept then
        local since = math.max((struct.unpack('<I4', stored)), now - tonumber(ARGV[2]))
        if struct.unpack('<I4', stored, 5) > since then listed = listed + 1 end
      end
    end
  end
  for at = 1, #gone, 500 do
    redis.call('HDEL', key, unpack(gone, at, math.min(at + 499, #gone)))
  end
  return {table.concat(names), listed, #gone}
end

local answers = {}
for i, key in ipairs(KEYS) do
  answers[i] = sweep(key)
end
return answers
