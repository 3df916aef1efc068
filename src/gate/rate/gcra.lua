-- GCRA as a meter: what is owed drains at the sustained rate, one turn adds one period, and never more than the burst is owed.
-- KEYS[1]: "microsecond of the last turn:owed then"
-- ARGV: a period; a whole burst; both in units of which ARGV[3] make a microsecond. All numbers stay below 2^53, so that
-- doubles hold them exactly. Answers: admitted, turns left, microseconds until there is one.
local period, burst, units = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local owed, last = 0, now
local state = redis.pcall('GET', KEYS[1])
if type(state) == 'string' then
  local at, debt = string.match(state, '^(%d+):(%d+)$')
  if at then last, owed = tonumber(at), tonumber(debt) end
end
-- A server clock that was set back drains nothing, and is the clock from here on.
local back = now < last
local passed = back and 0 or now - last
if passed >= owed / units then owed = 0 else owed = owed - passed * units end
local admitted = owed + period <= burst
if admitted then owed = owed + period end
if admitted or back then
  redis.call('SET', KEYS[1], string.format('%.0f:%.0f', now, owed), 'PX', string.format('%.0f', math.ceil(owed / units / 1000) + 1))
end
if admitted then return {1, math.floor((burst - owed) / period), 0} end
return {0, 0, math.ceil((owed + period - burst) / units)}
