"""Very many devices, some of which are told something and say that they have done it."""

import random
import statistics
import time
from http import HTTPStatus
from typing import Any, NamedTuple

from tests.scale.clients import Clients
from tests.scale.figure import Figure, at_most, none, told
from tests.system import System
from tests.tokens import token

ANSWERED_WITHIN_MS = 500.0
_ACK_TIMEOUT_MS = 10_000
_TRIES = 10
_VALID_S = 3_600
_ABSENT = "device:that-is-not-there"


class Options(NamedTuple):
    """How many devices there are, how many of them are told something, and how many times longer that may take."""

    devices: int = 2_000
    told: int = 200
    slower: float = 1


async def run(system: System, options: Options) -> list[Figure]:
    """Tell some of them ten times, and once one that is not there. The system knows the tokens of `tests.tokens`."""
    expires = int(time.time()) + _VALID_S
    names = [f"screen-{number}" for number in range(options.devices)]
    tokens = [token(name, exp=expires) for name in names]
    rng = random.Random(1)  # noqa: S311 - it has to repeat itself
    times_ms: list[float] = []
    wrong = 0
    async with Clients.connected(system.url, options.devices, tokens) as clients:
        for number in range(_TRIES):
            named = rng.sample(names, options.told)
            start = time.perf_counter()
            answer = await _tell(system, [f"device:{name}" for name in named], number)
            times_ms.append((time.perf_counter() - start) * 1e3)
            wrong += not _is_right(answer, {name: names.index(name) for name in named}, number)
        absent = await _tell(system, [_ABSENT, f"device:{names[0]}"], -1)
        return [
            none("answers that are not exactly those", wrong),
            at_most("slowest answer", max(times_ms), ANSWERED_WITHIN_MS * options.slower, "ms"),
            told("p50", statistics.median(times_ms), "ms"),
            none("absent devices not named", absent.get("not_connected") != [_ABSENT] or absent["reached"] != 1),
            *(told(f"on {node}", count) for node, count in sorted(clients.nodes().items())),
        ]


async def _tell(system: System, to: list[str], picture: int) -> dict[str, Any]:
    """Have an API replica tell them."""
    [replica, *_] = system.api_urls.values()
    message = {"event": "show", "payload": picture, "to": to, "ack_timeout_ms": _ACK_TIMEOUT_MS}
    response = await system.http.post(f"{replica}/messages", json=message)
    assert response.status_code == HTTPStatus.OK, response.text
    return dict(response.json())


def _is_right(answer: dict[str, Any], clients: dict[str, int], picture: int) -> bool:
    """Whether these devices, and no others, have said that they were told this."""
    acknowledged = {each["user"]: each["answer"] for each in answer["acks"]}
    return (
        answer["reached"] == len(answer["acks"]) == len(clients)
        and acknowledged == {name: [{"client": client, "heard": picture}] for name, client in clients.items()}
        and not any(answer.get(field) for field in ("unacknowledged", "not_connected", "silent_nodes"))
    )
