"""What the product API counts and measures, in the names of https://prometheus.io/docs/practices/naming/."""

from prometheus_client import Counter, Gauge, Histogram

from shared.metrics import LAG_BUCKETS, limited

writes = Counter("storecast_product_writes_total", "Products created, updated or deleted here", ["operation"])
database_failures = Counter("storecast_database_failures_total", "Calls to MongoDB that failed or took too long")
events_numbered = Counter("storecast_events_numbered_total", "Changes that were given a number", ["event"])
numbering_lag = Histogram(
    "storecast_numbering_lag_seconds",
    "From the commit of a change to its number in the log, by MongoDB's clock and this one",
    buckets=LAG_BUCKETS,
)
changes_passed_over = Counter(
    "storecast_changes_passed_over_total", "Changes of documents that are not products: they have no number"
)
leader = Gauge("storecast_leader", "1 while this replica numbers and relays")
terms_failed = Counter("storecast_leader_terms_failed_total", "Terms of leadership that ended by a fault of ours")
epochs_begun = Counter(
    "storecast_epochs_begun_total", "Times that the log ended before what the emitter had taken: a new epoch began"
)
handovers = Counter("storecast_handovers_total", "Times that an emitter without memory was handed the history")
events_relayed = Counter("storecast_events_relayed_total", "Events that the emitter took")
relay_failures = Counter("storecast_relay_failures_total", "Deliveries to the emitter that failed and are tried again")
events_parked = Counter("storecast_events_parked_total", "Events that the emitter cannot take: nobody hears them")
line_blocked = Gauge("storecast_line_blocked", "1 while the emitter refuses most events: two versions that disagree")
removed_undelivered = Counter(
    "storecast_events_removed_undelivered_total", "Events that left the log before the emitter had taken them"
)
undelivered_events = Gauge("storecast_undelivered_events", "Events in the log that the emitter has not taken")
undelivered_age = Gauge("storecast_undelivered_age_seconds", "How long ago the oldest undelivered event was committed")
emitter_position = Gauge("storecast_emitter_position", "The number of the last event that the emitter took")

# A series that begins with its first increase hides that one from `increase()`.
for _operation in ("create", "update", "delete"):
    writes.labels(_operation)
for _event in ("new_product", "product_updated", "product_deleted", "resync"):
    events_numbered.labels(_event)
for _limit in ("body", "caller_acknowledgements", "searches", "writes"):
    limited.labels(_limit)
