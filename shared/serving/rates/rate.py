"""How often each of many may do something."""

from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Protocol

from shared.errors import StartupError
from shared.serving.rates.local import LocalRate


class Rate(Protocol):
    """A number of times a second, in the long run; twice as many may come at once."""

    async def permits(self, who: str) -> bool:
        """Count once more, and tell whether it is permitted. What is not permitted does not count."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Count for as long as the context lasts."""


class Unlimited:
    """As often as one likes."""

    async def permits(self, who: str) -> bool:  # noqa: ARG002  # whoever it is
        """Permit it."""
        return True

    def running(self) -> AbstractAsyncContextManager[None]:
        """Have nothing to do."""
        return nullcontext()


def rate(name: str, per_second: int, redis_url: str = "") -> Rate:
    """Return a rate, or none for 0. With a Redis, all who have a rate of that name there count together.

    Raises:
        StartupError: the URL of Redis is none.
    """
    if per_second == 0:
        return Unlimited()
    if not redis_url:
        return LocalRate(per_second)
    # What has no Redis need not load its client: a seventh of a replica's start.
    from shared.serving.rates.shared import SharedRate  # noqa: PLC0415  # see above

    try:
        return SharedRate(name, per_second, redis_url)
    except ValueError as error:
        raise StartupError(f"STORECAST_REDIS_URL: {error}") from None
