"""The only file of `storecast up` that reads the environment."""

import os
import secrets
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from shared.origins import Origin
from shared.settings import PREFIX, ServiceSettings

# The token is the command line's own, for whichever Storecast it talks to.
_SECRETS = frozenset({f"{PREFIX}EMITTER_SECRET", f"{PREFIX}JWT_SECRET", f"{PREFIX}TOKEN"})


def _random_secret() -> SecretStr:
    return SecretStr(secrets.token_urlsafe(32))


class LocalSettings(ServiceSettings):
    """What the command line does not ask: the services' own settings, with defaults that suit one machine."""

    # Made anew for each run unless they are given. They reach the children in their environment alone: a command line
    # can be read by every user of the machine.
    emitter_secret: SecretStr = Field(default_factory=_random_secret)
    jwt_secret: SecretStr = Field(default_factory=_random_secret)
    # All of it listens on loopback alone.
    auth: Literal["jwt", "off"] = "off"
    # All clients of one machine have one address: 0 is no limit.
    max_connections_per_address: Annotated[int, Field(ge=0)] = 0
    handshakes_per_second: Annotated[int, Field(ge=0)] = 0
    writes_per_second: Annotated[int, Field(ge=0)] = 0
    # Beside the page's own.
    allowed_origins: tuple[Origin, ...] = ()
    # The page's chat.
    client_topics: tuple[str, ...] = ("chat:*",)
    drain_seconds: Annotated[float, Field(ge=0, le=3_600)] = 10
    log_format: Literal["json", "console"] = "console"


class TokenSettings(LocalSettings):
    """What `storecast token` signs with: the services' own secret, as one made anew is nobody's."""

    jwt_secret: SecretStr = SecretStr("")


def inherited_environment() -> dict[str, str]:
    """Return what every child inherits: everything but the secrets, which are given to those that need them."""
    return {name: value for name, value in os.environ.items() if name not in _SECRETS}
