-- wrk: the request of $BODY, and the answers that are not 200.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = os.getenv("BODY")

done = function(summary, latency, requests)
  io.write(string.format('{"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "max": %d, "failed": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout))
end
