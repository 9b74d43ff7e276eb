"""Where attacks go: to the gateway, as from the internet, and past it to each service that they are about."""

from collections.abc import Mapping
from typing import Literal

from tests.system import System

Place = Literal["gateway", "emitter", "replica"]

PLACES: Mapping[str, tuple[Place, ...]] = {
    "slow loris": ("gateway", "emitter", "replica"),
    "upload": ("gateway", "emitter", "replica"),
    "flood": ("gateway", "emitter"),
    "readers": ("gateway", "emitter"),
    "packets": ("gateway", "emitter"),
}


def url_of(system: System, place: Place) -> str:
    """Return the address of a place."""
    return {"gateway": system.url, "emitter": system.emitter_url, "replica": next(iter(system.api_urls.values()))}[
        place
    ]
