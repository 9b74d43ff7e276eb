"""Who may come in: how many clients there may be, here and from one address, and how fast they may come."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Protocol

from shared.addresses import client_address
from shared.metrics import limited
from shared.serving.rates.rate import Rate
from ws_service.cluster.node import Node
from ws_service.settings import Settings


class Request(Protocol):
    """What shows where a client comes from. Header names are in lower case."""

    @property
    def peer(self) -> str:
        """Who is connected."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What it sent."""


class NotAdmitted(Exception):
    """A client that is not taken now. Another emitter may take it, where it is 503."""

    retry_after_s = 1

    def __init__(self, status: HTTPStatus, reason: str, limit: str | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        if limit is not None:
            limited.labels(limit).inc()


class Admission:
    """Counts the clients that are here, whatever they listen by, and decides about those who want to come."""

    def __init__(self, settings: Settings, node: Node, handshakes: Rate) -> None:
        self._most = settings.max_connections
        self._most_of_one = settings.max_connections_per_address
        self._handshakes_per_second = settings.handshakes_per_second
        self._trusted = settings.trusted_proxies
        self._node = node
        self._handshakes = handshakes
        self._here = 0
        self._of: dict[str, int] = {}

    def __len__(self) -> int:
        """Return how many clients are here."""
        return self._here

    async def admit(self, request: Request) -> str:
        """Return the address that a client comes from, if it may come; else raise NotAdmitted.

        Whoever lets it enter without awaiting anything else keeps the limits exactly.
        """
        address = self._address(request)
        self.look(address)
        await self._permit_handshake(address)
        self.look(address)
        return address

    async def permit_upgrade(self, request: Request) -> None:
        """Count a handshake by which a client that is here changes its transport, or raise NotAdmitted.

        As often as handshakes of those who come, but apart from them: each stock client makes one of either kind.
        """
        await self._permit_handshake(f"{self._address(request)} again")

    def look(self, address: str) -> None:
        """Raise NotAdmitted if there is no room for one more from an address."""
        if not self._node.admits():
            raise NotAdmitted(HTTPStatus.SERVICE_UNAVAILABLE, "this emitter takes no new clients now")
        if self._here >= self._most:
            raise NotAdmitted(HTTPStatus.SERVICE_UNAVAILABLE, "this emitter is full: try again", "connections")
        if 0 < self._most_of_one <= self._of.get(address, 0):
            detail = f"at most {self._most_of_one} connections from one address"
            raise NotAdmitted(HTTPStatus.TOO_MANY_REQUESTS, detail, "connections_per_address")

    def enter(self, address: str) -> None:
        """Count a client that comes."""
        self._here += 1
        self._of[address] = self._of.get(address, 0) + 1

    def leave(self, address: str) -> None:
        """Count it no more."""
        self._here -= 1
        if left := self._of[address] - 1:
            self._of[address] = left
        else:
            del self._of[address]

    async def _permit_handshake(self, who: str) -> None:
        if not await self._handshakes.permits(who):
            detail = f"at most {self._handshakes_per_second} handshakes a second from one address: try again"
            raise NotAdmitted(HTTPStatus.TOO_MANY_REQUESTS, detail, "handshakes")

    def _address(self, request: Request) -> str:
        return client_address(request.peer, request.headers.get("x-forwarded-for", ""), self._trusted)
