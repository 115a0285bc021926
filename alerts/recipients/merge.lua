-- The twin of entry.py: takes one bucket's failures and deliveries in, at once or not at all.
--
-- KEYS[1]  the bucket: a hash of entries by name (6 bytes: which recipient, and in the lowest bit which
--          kind of failures), each as entry.pack writes it
-- ARGV     kept, within_s, room for new entries, seconds to live,
--          failures (14 bytes each: name, receipt second, fingerprint),
--          deliveries (10 bytes each: name of the failures that count, receipt second)
-- returns  {answers (11 bytes a failure: first second, attempt, run, flags, second of the one before),
--           entries in the bucket, recipients that came to the list less those that left it}
local kept, within_s, room = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local entries, change = {}, 0
local LISTED, REPEATED, REFUSED, ENTERED = 1, 2, 4, 8

local function other(name)
  local first = string.byte(name)
  return string.char(first % 2 == 0 and first + 1 or first - 1) .. string.sub(name, 2)
end

local function entry(name)
  if entries[name] == nil then
    local stored = redis.call('HGET', KEYS[1], name)
    if not stored then
      entries[name] = false
    else
      local found, at = {delivered = (struct.unpack('<I4', stored))}, 5
      while at < #stored do
        local last, fingerprint, told
        last, fingerprint, told, at = struct.unpack('<I4I4I4', stored, at)
        table.insert(found, {last, fingerprint, last - math.floor(told / 256), told % 256})
      end
      entries[name] = found
    end
  end
  return entries[name]
end

local function before(a, b)
  return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2])
end

local function run(e, at_s)
  local since, n = math.max(e.delivered, at_s - within_s), 0
  for _, f in ipairs(e) do
    if f[1] > since then n = n + 1 end
  end
  return n
end

local function deliver(name, at_s)
  local e = entry(name)
  if e and at_s > e.delivered then
    local newest = e[#e][1]
    if string.byte(name) % 2 == 0 and run(e, newest) >= kept then change = change - 1 end
    e.delivered, e.dirty = at_s, true
    if string.byte(name) % 2 == 0 and run(e, newest) >= kept then change = change + 1 end
  end
end

local function deliveries()
  for at = 1, #ARGV[6], 10 do
    local name, at_s = struct.unpack('<c6I4', ARGV[6], at)
    deliver(name, at_s)
    deliver(other(name), at_s)
  end
end

local function fail(name, at_s, fingerprint)
  local e, counts = entry(name), string.byte(name) % 2 == 0
  local listed = false
  if not counts then
    local main = entry(other(name))
    listed = main and run(main, at_s) >= kept
  end
  if not e then
    if room <= 0 then
      return struct.pack('<I4BBBI4', at_s, 1, 1, REFUSED + (listed and LISTED or 0), 0)
    end
    room = room - 1
    e = {delivered = 0}
    local main = entry(other(name))
    if main then e.delivered = main.delivered end
    entries[name] = e
  end
  local was = #e > 0 and run(e, e[#e][1]) >= kept
  local one, flags = nil, 0
  for i, f in ipairs(e) do
    if f[2] == fingerprint then
      one, flags = table.remove(e, i), REPEATED
      break
    end
  end
  local known = one ~= nil
  if not known then one = {at_s, fingerprint, at_s, 0} end
  one[1], one[3] = math.max(one[1], at_s), math.min(one[3], at_s)
  local since, previous, place = math.max(e.delivered, one[1] - within_s), 0, 1
  for _, f in ipairs(e) do
    if f[1] > since and before(f, one) then
      place, previous = place + 1, math.max(previous, f[1])
    end
  end
  if not known then one[4] = place + ((listed or (counts and place >= kept)) and 128 or 0) end
  table.insert(e, one)
  table.sort(e, before)
  if #e > kept then table.remove(e, 1) end
  e.dirty = true
  local is = run(e, e[#e][1]) >= kept
  if one[4] >= 128 then flags = flags + LISTED end
  if counts and is ~= was then
    change = change + (is and 1 or -1)
    if is then flags = flags + ENTERED end
  end
  return struct.pack('<I4BBBI4', one[3], one[4] % 128, run(e, at_s), flags, previous)
end

-- Deliveries once before, so that whoever is known is seen as it is, and once behind for who is new.
deliveries()
local answers = {}
for at = 1, #ARGV[5], 14 do
  local name, at_s, fingerprint = struct.unpack('<c6I4I4', ARGV[5], at)
  table.insert(answers, fail(name, at_s, fingerprint))
end
deliveries()

local changed = false
for name, e in pairs(entries) do
  if e and e.dirty then
    local stored = {struct.pack('<I4', e.delivered)}
    for _, f in ipairs(e) do
      local apart = math.min(f[1] - f[3], 16777215)
      table.insert(stored, struct.pack('<I4I4I4', f[1], f[2], apart * 256 + f[4]))
    end
    redis.call('HSET', KEYS[1], name, table.concat(stored))
    changed = true
  end
end
if changed then redis.call('EXPIRE', KEYS[1], ARGV[4]) end
return {table.concat(answers), redis.call('HLEN', KEYS[1]), change}
