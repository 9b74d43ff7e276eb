"""The system that is used: three emitters behind HAProxy."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from tests.system import System
from tests.tokens import JWT_SECRET

_EMITTERS = 3


def cluster(folder: Path, mongo_url: str, *, drain_seconds: float) -> AbstractAsyncContextManager[System]:
    """Run one, which knows the tokens of `tests.tokens`."""
    return System.running(
        folder,
        mongo_url,
        emitters=_EMITTERS,
        gateway="haproxy",
        drain_seconds=drain_seconds,
        jwt_secret=JWT_SECRET,
    )
