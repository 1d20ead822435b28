-- Sends what bench/wrk.py wrote down: random lines of a file of paths as GET, lines of a file of
-- bodies as POST, in the proportion asked for; prints the outcome as one line of JSON.

local reads, writes, sent, write_every = {}, {}, 0, 0

function init(args)
  write_every = tonumber(os.getenv("BENCH_WRITE_EVERY"))
  math.randomseed(tonumber(os.getenv("BENCH_SEED")))
  for path in io.lines(os.getenv("BENCH_PATHS")) do
    reads[#reads + 1] = wrk.format("GET", path)
  end
  local write_path = os.getenv("BENCH_WRITE_PATH")
  wrk.headers["Content-Type"] = "application/json"
  for body in io.lines(os.getenv("BENCH_BODIES")) do
    writes[#writes + 1] = wrk.format("POST", write_path, nil, body)
  end
end

function request()
  sent = sent + 1
  if write_every > 0 and sent % write_every == 0 then
    return writes[math.random(#writes)]
  end
  return reads[math.random(#reads)]
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'bench {"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"refused":%d,"failed":%d,"bytes":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout, summary.bytes))
end
