"""The only file of `storecast up` that reads the environment."""

import os
import secrets
from typing import Literal

from pydantic import Field, SecretStr

from shared.settings import PREFIX, ServiceSettings

_SECRET = f"{PREFIX}EMITTER_SECRET"


class LocalSettings(ServiceSettings):
    """What the command line does not ask: the services' own settings, with defaults that suit one machine."""

    # Made anew for each run unless it is given. It reaches the children in their environment alone: a command line
    # can be read by every user of the machine.
    emitter_secret: SecretStr = Field(default_factory=lambda: SecretStr(secrets.token_urlsafe(32)))
    log_format: Literal["json", "console"] = "console"


def inherited_environment() -> dict[str, str]:
    """Return what every child inherits: everything but the secret, which is given to those that need it."""
    return {name: value for name, value in os.environ.items() if name != _SECRET}
