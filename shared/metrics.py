"""What both services count and measure, in the names of https://prometheus.io/docs/practices/naming/."""

from prometheus_client import Counter, Gauge, Histogram, Info, disable_created_metrics

from shared.version import VERSION

# A series more for each counter, that says when it was made: nobody asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's

build = Info("storecast_build", "What runs here")
build.info({"version": VERSION})
requests = Counter(
    "storecast_http_requests_total", "HTTP requests answered, Engine.IO's not included", ["method", "route", "status"]
)
request_seconds = Histogram(
    "storecast_http_request_duration_seconds",
    "From the arrival of a request to the beginning of its answer",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
key_set_failures = Counter(
    "storecast_key_set_failures_total", "Tries to fetch keys from STORECAST_JWKS_URL that failed"
)
limited = Counter(
    "storecast_limited_total", "Connections, requests and messages that a limit has refused or ended", ["limit"]
)
rate_failures = Counter(
    "storecast_rate_failures_total", "Times that a rate could not be counted in Redis, and was counted here alone"
)
loop_lag = Gauge("storecast_loop_lag_seconds", "How late the event loop calls: a moving average over a second")

LAG_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600)
"""Of what an event waits for on its way: milliseconds, or as long as something was down."""
# A series that begins with its first increase hides that one from `increase()`.
for _limit in ("head", "http_connections", "request_time"):
    limited.labels(_limit)
