from typing import Any

from pydantic import SecretStr

from tests.unit.reader import Reader
from ws_service.census.census import Census
from ws_service.cluster.letters import Letter
from ws_service.cluster.node import Node
from ws_service.cluster.peers import Alone, Answers
from ws_service.ingest.history import History
from ws_service.ingest.hub import Hub
from ws_service.ingest.subscriptions import Subscription, Subscriptions
from ws_service.settings import Settings

_OLDER: dict[str, Any] = {
    "node": "older",
    "url": "",
    "state": "ready",
    "connections": 7,
    "topics": {"products": 7},
    "where": {},
}


class _BesideAnother(Alone):
    """An emitter that asks itself, and another one whose answer is known."""

    def __init__(self, another: dict[str, Any]) -> None:
        super().__init__()
        self._another = another

    async def ask(self, letter: Letter, timeout_s: float, name: str | None = None) -> Answers:
        own, missing = await super().ask(letter, timeout_s, name)
        return Answers([*own, self._another], missing)


def census_of(peers: Alone) -> Census:
    """One socket is here, and listens to the products."""
    subscriptions = Subscriptions()
    subscriptions.add(Subscription(["products"], None, Reader()))
    settings = Settings(instance="newer", auth="off", emitter_secret=SecretStr("x" * 16))
    return Census(Node("id", settings, Hub(History(10, 10**6), subscriptions), None), subscriptions, peers)


async def test_an_emitter_of_the_version_before_is_counted() -> None:
    """It does not tell how late its loop calls; while an upgrade goes on, operators see it all the same."""
    counted = await census_of(_BesideAnother(_OLDER)).take([], topics=True)

    assert [(each.node, each.connections) for each in counted.nodes] == [("newer", 1), ("older", 7)]
    assert (counted.connections, counted.topics, counted.nodes[1].lag_ms) == (8, {"products": 8}, 0.0)


async def test_an_emitter_of_a_later_version_is_counted() -> None:
    """It may tell more than is known here."""
    counted = await census_of(_BesideAnother({**_OLDER, "node": "later", "told_later": 1})).take([], topics=True)

    assert counted.connections == 8


async def test_an_emitter_of_the_version_before_is_answered() -> None:
    """It does not say whether it asks for the topics: it expects them."""
    peers = Alone()
    census_of(peers)

    [answer] = (await peers.ask(Letter("census", {"names": []}), 2.0)).given

    assert answer["topics"] == {"products": 1}
