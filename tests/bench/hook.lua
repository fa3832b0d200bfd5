-- wrk's requests: the lead hook of the fixtures, each with a lead of its own.
local file = io.open(os.getenv("BENCH_BODY")); local body = file:read("*a"); file:close()
local before, after = body:match("^(.-%%5B0%%5D%%5Bid%%5D=)%d+(.*)$")
local n, thread = 0, 0
local threads = 0
function setup(t) threads = threads + 1; t:set("thread", threads) end
local think = tonumber(os.getenv("BENCH_THINK_MS"))
if think then -- each connection is a sender that has something to tell now and then, and not when it is answered
  math.randomseed(1)
  function delay() return -math.log(1 - math.random()) * think end
end
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
wrk.headers["User-Agent"] = "amoCRM-Webhooks/3.0"
function request()
  n = n + 1
  wrk.headers["X-Amocrm-Requestid"] = string.format("%08d-0000-4000-8000-%012d", os.time() % 100000000, n)
  return wrk.format(nil, nil, nil, before .. (os.time() % 1000000) .. string.format("%02d%07d", thread, n) .. after)
end
