"""What the emitter counts and measures, in the names of https://prometheus.io/docs/practices/naming/."""

from prometheus_client import Counter, Gauge

connections = Gauge("storecast_connections", "Clients that are connected now, over whatever they listen by")
connects = Counter("storecast_connects_total", "Clients that were taken", ["recovered"])
deliveries = Counter("storecast_deliveries_total", "Numbered events handed to a socket's transport")
messages = Counter("storecast_messages_total", "Unnumbered messages handed to a socket's transport")
published = Counter("storecast_published_total", "Messages that clients published")
rate_limited = Counter("storecast_rate_limited_total", "Messages of clients refused: too many in a short time")
cut_off = Counter("storecast_cut_off_total", "Sockets closed because they do not keep up; they come back", ["reason"])
position = Gauge("storecast_position", "The number of the last event taken from the relay")
conflicts = Counter("storecast_conflicts_total", "Batches that did not follow the position: the relay goes on from it")
redis_failures = Counter("storecast_redis_failures_total", "Tries to read from Redis that failed")
redis_position = Gauge("storecast_redis_position", "Where the log in Redis ended when it was last looked at")
loop_lag = Gauge("storecast_loop_lag_seconds", "How late the event loop calls: a moving average over a second")
shed = Counter("storecast_shed_total", "Sockets closed so that their clients go to another emitter")
