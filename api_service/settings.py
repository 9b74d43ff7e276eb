"""The product API's settings: the only place of this service that reads the environment."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from shared.origins import Origin
from shared.settings import HTTP_URL, ServiceSettings, is_loopback


class Settings(ServiceSettings):
    """Environment variables `STORECAST_<NAME>`."""

    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    # A secret because it may carry a password. The database is the one it names, else `storecast`.
    mongo_url: SecretStr = SecretStr("mongodb://127.0.0.1:27017/storecast")
    # One, or several with commas: the next one is called when one does not answer.
    emitter_url: str = "http://127.0.0.1:9000"
    # Origins whose pages may call, as a JSON list; empty: pages of the API's own origin only.
    allowed_origins: tuple[Origin, ...] = ()
    # How many connections there may be.
    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] = 1_000
    # How often a caller may write in the long run; twice as many may come at once. 0 is as often as it likes.
    writes_per_second: Annotated[int, Field(ge=0, le=100_000)] = 100
    # Set, all replicas count together in this Redis, in the form in which emitters are given theirs. A secret because
    # it may carry a password.
    redis_url: SecretStr = SecretStr("")
    # The event log keeps so much in any case, and more while the emitter has not taken it, up to the cap.
    retention_hours: Annotated[float, Field(gt=0)] = 24
    retention_events: Annotated[int, Field(ge=1)] = 1_000_000
    retention_cap_events: Annotated[int, Field(ge=1)] = 2_000_000
    # How long one request or one step of the feed may wait for MongoDB altogether.
    database_timeout_ms: Annotated[int, Field(ge=100, le=60_000)] = 5_000
    # How long a start waits for MongoDB to become reachable before it gives up.
    startup_timeout_ms: Annotated[int, Field(ge=100, le=600_000)] = 30_000

    @field_validator("emitter_url")
    @classmethod
    def _http_urls(cls, urls: str) -> str:
        return ",".join(_an_http_url(url.strip()) for url in urls.split(","))

    @field_validator("emitter_url")
    @classmethod
    def _loopback_without_tokens(cls, urls: str, info: ValidationInfo) -> str:
        if info.data.get("auth") == "off" and not all(
            is_loopback(urlsplit(url).hostname or "") for url in urls.split(",")
        ):
            raise ValueError("must be on loopback where STORECAST_AUTH is off")
        return urls

    @property
    def emitter_urls(self) -> list[str]:
        """Each emitter's URL."""
        return self.emitter_url.split(",")


def _an_http_url(url: str) -> str:
    HTTP_URL.validate_python(url)
    return url.rstrip("/")
