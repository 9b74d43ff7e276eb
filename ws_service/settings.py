"""The emitter's settings: the only place of this service that reads the environment."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, field_validator

from shared.origins import Origin
from shared.settings import ServiceSettings, check_secret

# RFC 6749, section 3.3.
Scope = Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$")]


def _of_clients(topic: str) -> str:
    if topic.startswith(("category:", "product:")):
        raise ValueError("topics of products are not clients': STORECAST_PUBLIC_READ closes them, all together")
    return topic


ClientTopic = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*:([A-Za-z0-9_.-]*\*?)$"), AfterValidator(_of_clients)]


class Settings(ServiceSettings):
    """Environment variables `STORECAST_<NAME>`."""

    port: Annotated[int, Field(ge=0, le=65535)] = 9000
    # A second one that is taken while the secret is replaced, by API replicas that have it already or still.
    emitter_secret_previous: SecretStr = SecretStr("")
    # Origins whose pages may connect, as a JSON list; empty: pages of the emitter's own origin only.
    allowed_origins: tuple[Origin, ...] = ()
    # Shorter than the 60 s after which proxies cut an idle connection.
    ping_interval_ms: Annotated[int, Field(ge=10, le=55_000)] = 25_000
    ping_timeout_ms: Annotated[int, Field(ge=10, le=120_000)] = 20_000
    # How long a client may be connected without joining the namespace.
    connect_timeout_ms: Annotated[int, Field(ge=100, le=120_000)] = 45_000
    # How long a change from long-polling to a websocket may take.
    upgrade_timeout_ms: Annotated[int, Field(ge=100, le=120_000)] = 10_000
    # How many clients there may be, over whatever they listen by; and how many of them may come from one address, where
    # 0 is any number. An IPv6 network of 64 bits is one address.
    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] = 15_000
    max_connections_per_address: Annotated[int, Field(ge=0, le=1_000_000)] = 200
    # How many clients may come from one address in a second, in the long run; twice as many may come at once. 0 is any
    # number.
    handshakes_per_second: Annotated[int, Field(ge=0, le=100_000)] = 50
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
    # How many topics a client may hear at a time.
    max_topics: Annotated[int, Field(ge=1, le=1_000)] = 100
    # What clients may publish on: topics, or patterns with one * at the end, as a JSON list.
    client_topics: tuple[ClientTopic, ...] = ()
    # How many requests and messages a client may send in the long run; twice as many may come at once.
    client_messages_per_second: Annotated[int, Field(ge=1, le=10_000)] = 10
    # How often a client of long-polling is answered in the long run. Beyond it an answer waits, and nothing is lost.
    client_polls_per_second: Annotated[int, Field(ge=1, le=10_000)] = 50
    # How long before its token expires a client is told, so that it can send a new one.
    token_notice_seconds: Annotated[int, Field(ge=1, le=3_600)] = 60
    # Who may hear a topic, as a JSON object: a topic of clients, or a pattern with one * at the end, and the scope that
    # it takes, or "sub" where only that very user may: {"orders:*": "orders:read", "inbox:*": "sub"}.
    topic_rules: dict[ClientTopic, Scope] = Field(default_factory=dict)
    # How long a new socket waits for the relay to hand the history over, before it is taken without recovery.
    handover_timeout_ms: Annotated[int, Field(ge=0, le=60_000)] = 5_000

    @property
    def unnumbered_topics(self) -> tuple[str, ...]:
        """What clients may ask for beside the products: what they publish on, and what there is a rule for."""
        return (*self.client_topics, *self.topic_rules)

    @field_validator("emitter_secret_previous")
    @classmethod
    def _usable_if_set(cls, secret: SecretStr) -> SecretStr:
        return check_secret(secret) if secret.get_secret_value() else secret
