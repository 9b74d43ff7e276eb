"""What the settings of both services have in common. Only `settings.py` files read the environment."""

import ipaddress
import os
import platform
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    Field,
    IPvAnyNetwork,
    SecretStr,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from shared.addresses import LOOPBACK
from shared.emitter_api import MAX_BATCH_BYTES, MAX_BATCH_EVENTS
from shared.errors import StartupError
from shared.problems import invalid_fields, summary

PREFIX = "STORECAST_"
# Where Docker mounts secrets. A file by a variable's name, in lower case, counts where the variable is not set.
SECRETS = Path("/run/secrets")
MIN_SECRET_LENGTH = 16
HTTP_URL = TypeAdapter(AnyHttpUrl)


def _not_everybody(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    if network.prefixlen == 0:
        raise ValueError("name the networks of your proxies: everybody could say to come from anywhere")
    return network


TrustedNetwork = Annotated[IPvAnyNetwork, AfterValidator(_not_everybody)]


class ServiceSettings(BaseSettings):
    """Settings of any Storecast service, from the environment variables `STORECAST_<NAME>` or secrets of that name."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, hide_input_in_errors=True)

    # Not empty: that would mean every interface.
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    # The name a person recognises a process by: X-Served-By, `welcome.node`, logs.
    instance: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._-]+$")] = platform.node()
    # Shared by the API and the emitter; guards the emitter's internal calls.
    emitter_secret: SecretStr
    # Whether callers show who they are. Off only where nobody else can call.
    auth: Literal["jwt", "off"] = "jwt"
    # Who signs the tokens: who has this secret (HS256), and for a while the one before it; or whose public keys are at
    # this URL.
    jwt_secret: SecretStr = SecretStr("")
    jwt_secret_previous: SecretStr = SecretStr("")
    jwks_url: str = ""
    # What the tokens' `aud` and `iss` must be; an empty issuer is any, which it cannot be for a JWKS URL.
    jwt_audience: Annotated[str, Field(min_length=1)] = "storecast"
    jwt_issuer: str = ""
    # How far the clocks of those who give out tokens may be off.
    jwt_leeway_seconds: Annotated[int, Field(ge=0, le=300)] = 30
    # Whether anybody may read and hear the products; else who has the scope products:read.
    public_read: bool = True
    # The proxies whose X-Forwarded-For is believed, as a JSON list of networks.
    trusted_proxies: tuple[TrustedNetwork, ...] = LOOPBACK
    # How long a client may take to send a request, and to read an answer.
    request_timeout_ms: Annotated[int, Field(ge=100, le=600_000)] = 30_000
    socket_path: Annotated[str, Field(pattern=r"^/[A-Za-z0-9/_-]*$")] = "/websocket-service"
    # How much of the recent past the emitter keeps, and is given when it starts, for those who come back. More than a
    # batch in any case: what is dropped before it was sent closes the socket.
    history_events: Annotated[int, Field(ge=2 * MAX_BATCH_EVENTS, le=1_000_000)] = 10_000
    history_bytes: Annotated[int, Field(ge=8 * MAX_BATCH_BYTES)] = 64 * 1024 * 1024
    # Where browsers find the emitter when it is not on the page's own origin; for an emitter, where clients find this
    # very one.
    public_ws_url: str = ""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    @field_validator("emitter_secret")
    @classmethod
    def _usable(cls, secret: SecretStr) -> SecretStr:
        return check_secret(secret)

    @field_validator("auth")
    @classmethod
    def _off_on_loopback_alone(cls, auth: str, info: ValidationInfo) -> str:
        if auth == "off" and not is_loopback(info.data.get("host", "")):
            raise ValueError("can be off only where STORECAST_HOST is loopback: here anybody could call")
        return auth

    @field_validator("jwks_url")
    @classmethod
    def _nobody_can_change_it(cls, url: str) -> str:
        # Whoever is between us and plain HTTP could put in keys of its own.
        if url and HTTP_URL.validate_python(url).scheme != "https" and not is_loopback(urlsplit(url).hostname or ""):
            raise ValueError("must be https")
        return url

    @field_validator("public_ws_url")
    @classmethod
    def _an_origin(cls, url: str) -> str:
        # A path would be read as a Socket.IO namespace; STORECAST_SOCKET_PATH is for that.
        if url and (parsed := HTTP_URL.validate_python(url)) and ((parsed.path or "/") != "/" or parsed.query):
            raise ValueError("give the origin alone, like https://shop.example")
        return url.rstrip("/")

    @classmethod
    def load(cls) -> Self:
        """Read the environment and SECRETS; raise StartupError that names each variable that is missing or wrong."""
        try:
            return cls(_secrets_dir=secrets_folder())
        except ValidationError as error:
            named = [each._replace(field=f"{PREFIX}{each.field.upper()}") for each in invalid_fields(error)]
            raise StartupError(summary(named)) from None
        except SettingsError as error:
            # A list that is not JSON. The message names the field, and not what stands in it.
            raise StartupError(f"{PREFIX}*: {error}") from None


def secrets_folder() -> Path | None:
    """Return SECRETS; None where there are none, or where they are not for this user: the environment is all then."""
    return SECRETS if os.access(SECRETS, os.R_OK | os.X_OK) else None


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach what listens there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_secret(secret: SecretStr) -> SecretStr:
    """Return a secret that can be sent in a header and not be guessed; raise ValueError."""
    text = secret.get_secret_value()
    if len(text) < MIN_SECRET_LENGTH:
        raise ValueError(f"must have at least {MIN_SECRET_LENGTH} characters")
    # It is sent in a header, where anything else is impossible or gets lost: above all the line end of a file.
    if not (text.isascii() and text.isprintable() and text == text.strip()):
        raise ValueError("must be printable ASCII without a space or a line end around it")
    return secret
