"""What the emitter counts and measures, in the names of https://prometheus.io/docs/practices/naming/."""

from prometheus_client import Counter, Gauge, Histogram

from shared.metrics import LAG_BUCKETS, limited

connections = Gauge("storecast_connections", "Clients that are connected now, over whatever they listen by")
connects = Counter("storecast_connects_total", "Clients that were taken", ["recovered"])
reconnects = Counter(
    "storecast_reconnects_total",
    "Clients that came back and said where they were, and whether what they missed could be sent",
    ["recovered"],
)
sessions = Gauge(
    "storecast_sessions", "Open transports, also of clients that are not greeted yet, at the scrape", ["transport"]
)
deliveries = Counter("storecast_deliveries_total", "Numbered events handed to a socket's transport")
messages = Counter("storecast_messages_total", "Unnumbered messages handed to a socket's transport")
published = Counter("storecast_published_total", "Messages that clients published")
tokens_expired = Counter("storecast_tokens_expired_total", "Tokens that expired while their socket was connected")
cut_off = Counter("storecast_cut_off_total", "Sockets closed because they do not keep up; they come back", ["reason"])
position = Gauge("storecast_position", "The number of the last event taken from the relay")
conflicts = Counter("storecast_conflicts_total", "Batches that did not follow the position: the relay goes on from it")
delivery_lag = Histogram(
    "storecast_delivery_lag_seconds",
    "From the commit of a change to its delivery to the sockets here, by MongoDB's clock and this one",
    buckets=LAG_BUCKETS,
)
redis_failures = Counter("storecast_redis_failures_total", "Tries to read from Redis that failed")
redis_position = Gauge("storecast_redis_position", "Where the log in Redis ended when it was last looked at")
hearing_age = Gauge(
    "storecast_hearing_age_seconds", "How long ago this emitter heard itself through Redis; 0 for a lone one"
)
state = Gauge("storecast_emitter_state", "1 for the state that `/readyz` tells, at the scrape", ["state"])
shed = Counter("storecast_shed_total", "Sockets closed so that their clients go to another emitter")

# A series that begins with its first increase hides that one from `increase()`.
for _recovered in ("true", "false"):
    connects.labels(_recovered)
    reconnects.labels(_recovered)
for _reason in ("behind", "pending"):
    cut_off.labels(_reason)
for _limit in (
    "acknowledgements",
    "body",
    "connect_time",
    "connections",
    "connections_per_address",
    "fields",
    "flood",
    "handshakes",
    "late",
    "message_time",
    "messages",
    "packets",
    "payload",
    "polls",
    "refusals",
    "topics",
    "upgrade_time",
    "waiting",
):
    limited.labels(_limit)
