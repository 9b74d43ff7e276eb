"""The emitter's settings: the only place of this service that reads the environment."""

from typing import Annotated

from pydantic import Field, SecretStr

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Environment variables `STORECAST_<NAME>`."""

    port: Annotated[int, Field(ge=0, le=65535)] = 9000
    # Origins whose pages may connect, as a JSON list; empty: pages of the emitter's own origin only.
    allowed_origins: tuple[str, ...] = ()
    # Shorter than the 60 s after which proxies cut an idle connection.
    ping_interval_ms: Annotated[int, Field(ge=10, le=55_000)] = 25_000
    ping_timeout_ms: Annotated[int, Field(ge=10, le=120_000)] = 20_000
    # How long a client may be connected without joining the namespace.
    connect_timeout_ms: Annotated[int, Field(ge=100, le=120_000)] = 45_000
    # How long a change from long-polling to a websocket may take.
    upgrade_timeout_ms: Annotated[int, Field(ge=100, le=120_000)] = 10_000
    # How much may wait for a client that does not read; more, and it is cut off, comes back and catches up. Events with
    # a number do not wait here but in the history.
    max_pending_bytes: Annotated[int, Field(ge=512 * 1024, le=64 * 1024 * 1024)] = 1024 * 1024
    # The largest message that a client may send.
    max_payload_bytes: Annotated[int, Field(ge=1_000, le=10_000_000)] = 100_000
    # Set, this emitter is one of many that share Redis Streams: redis://, rediss://, or Sentinels as
    # redis+sentinel://host:port,host:port/name-of-the-primary. A secret because it may carry a password.
    redis_url: SecretStr = SecretStr("")
    # Over how long an emitter that ends spreads the end of its connections. Only one of many: from a lone one they
    # have nowhere to go.
    drain_seconds: Annotated[float, Field(ge=0, le=3_600)] = 10
    # What clients may publish on: topics, or patterns with one * at the end, as a JSON list.
    client_topics: tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*:([A-Za-z0-9_.-]*\*?)$")], ...] = ()
    # How many messages a client may publish in the long run; twice as many may come at once.
    client_messages_per_second: Annotated[int, Field(ge=1, le=10_000)] = 10
    # Who signed the tokens that say whose a socket is (HS256); empty: no token is known.
    jwt_secret: SecretStr = SecretStr("")
    # How long a new socket waits for the relay to hand the history over, before it is taken without recovery.
    handover_timeout_ms: Annotated[int, Field(ge=0, le=60_000)] = 5_000
