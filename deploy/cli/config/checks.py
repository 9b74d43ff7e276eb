"""What a service looks at in its settings beyond each one's own form, before it connects to anything."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from api_service.database import clients_of
from api_service.settings import Settings as ApiSettings
from shared.serving.rates.rate import rate
from shared.serving.tokens import tokens_of
from shared.settings import ServiceSettings
from ws_service.settings import Settings as EmitterSettings
from ws_service.topics.permissions import Permissions


class Service(NamedTuple):
    """A service: its settings, and what raises StartupError about them."""

    settings: type[ServiceSettings]
    checks: tuple[Callable[[Any], object], ...]


def _mongo_url(settings: ApiSettings) -> None:
    clients, _ = clients_of(settings)
    for client in clients:
        client.close()


def _writes(settings: ApiSettings) -> None:
    rate("writes", settings.writes_per_second, settings.redis_url.get_secret_value())


def _redis_url(settings: EmitterSettings) -> None:
    # Whatever its rates are, an emitter of many needs it.
    rate("a rate that is never asked for", 1, settings.redis_url.get_secret_value())


SERVICES: Mapping[str, Service] = {
    "api": Service(ApiSettings, (tokens_of, _writes, _mongo_url)),
    "emitter": Service(EmitterSettings, (tokens_of, Permissions, _redis_url)),
}
