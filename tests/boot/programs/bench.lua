-- SPDX-License-Identifier: MIT
local function fib(n) return n < 2 and n or fib(n-1) + fib(n-2) end
print("fib", fib(27))
local d = 0 for i = 1, 3e6 do d = d + math.sin(i)/math.sqrt(i) end print(string.format("fp %.9f", d))
local t = {} for i = 1, 200000 do t[i] = (i * 7919) % 100003 end table.sort(t) print("sort", t[1], t[100000], t[200000])
local s = {} for i = 1, 100000 do s[#s+1] = tostring(i) end local c = table.concat(s) print("str", #c, c:sub(1000, 1020))
local bit = require"bit" local x = 0 for i = 1, 5e6 do x = bit.bxor(bit.rol(x, 5), i) end print("bit", x)
local ffi = require"ffi" local a = ffi.new("double[?]", 1000) for r = 1, 1000 do for i = 0, 999 do a[i] = a[i] * 0.5 + i end end print(string.format("ffi %.6f", a[999]))
local u = 0ULL for i = 1, 1e6 do u = u * 6364136223846793005ULL + 1442695040888963407ULL end print("u64", u)
local m = setmetatable({}, {__index = function(t, k) return k * 2 end}) local q = 0 for i = 1, 1e6 do q = q + m[i] end print("meta", q)
local co = coroutine.wrap(function() for i = 1, 1e5 do coroutine.yield(i) end end) local z = 0 for i = 1, 1e5 do z = z + co() end print("co", z)
print("pcall", pcall(function() local n = nil; return n.x end))
