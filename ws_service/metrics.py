"""What the emitter counts and measures, in the names of https://prometheus.io/docs/practices/naming/."""

from prometheus_client import Counter, Gauge

connections = Gauge("storecast_connections", "Sockets that are connected now")
connects = Counter("storecast_connects_total", "Sockets that were taken", ["recovered"])
deliveries = Counter("storecast_deliveries_total", "Numbered events handed to a socket's transport")
messages = Counter("storecast_messages_total", "Unnumbered messages handed to a socket's transport")
cut_off = Counter("storecast_cut_off_total", "Sockets closed because they do not keep up; they come back", ["reason"])
position = Gauge("storecast_position", "The number of the last event taken from the relay")
conflicts = Counter("storecast_conflicts_total", "Batches that did not follow the position: the relay goes on from it")
