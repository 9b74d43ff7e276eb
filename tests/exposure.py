"""Whether requests from outside reach anything but the sockets of an emitter."""

import asyncio
from collections.abc import Iterable

from tests.disguises import CLOSE, NUMBER, public_paths, request
from tests.stubs import Stubs
from tests.wire import exchange

_AT_A_TIME = 100
_ANSWERED_WITHIN_S = 3.0
_ENDS = 6


async def exposed(
    address: str,
    emitters: Stubs,
    sockets: str,
    requests: Iterable[bytes],
    silence_s: float = _ANSWERED_WITHIN_S,
) -> list[str]:
    """Send requests to a proxy; return which of them reached an internal path of an emitter, and which path.

    Args:
        address: The proxy's, as `host:port`.
        emitters: Who is behind it.
        sockets: The path of the sockets.
        requests: What to send, each over a connection of its own.
        silence_s: For how long a proxy may say nothing before nothing more is expected of it.
    """
    sent = list(requests)
    # What a connection to an emitter was left with begins the next request that is sent over it.
    ends = [request(f"{sockets.rstrip('/')}/sse", CLOSE)] * _ENDS
    numbered = [each.replace(NUMBER.encode(), b"%06d" % number) for number, each in enumerate([*sent, *ends])]
    emitters.arrivals.clear()
    for start in range(0, len(sent), _AT_A_TIME):
        several = numbered[start : min(start + _AT_A_TIME, len(sent))]
        await asyncio.gather(*(exchange(address, each, silence_s) for each in several))
    for end in numbered[len(sent) :]:
        await exchange(address, end)
    public = public_paths(sockets)
    return [
        f"{path}: {numbered[int(mark)] if mark.isdecimal() else mark!r}"
        for path, mark in emitters.arrivals
        if path not in public
    ]
