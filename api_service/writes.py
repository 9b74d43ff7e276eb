"""How often one caller may write."""

from contextlib import AbstractAsyncContextManager

from fastapi import Request

from api_service.settings import Settings
from shared.addresses import client_address
from shared.identity.identity import Identity
from shared.metrics import limited
from shared.serving.http.errors import TooManyRequests
from shared.serving.rates.rate import rate


class Writes:
    """Counts writes by the user of the token, or by the address that they come from."""

    def __init__(self, settings: Settings) -> None:
        self._per_second = settings.writes_per_second
        self._trusted = settings.trusted_proxies
        self._rate = rate("writes", self._per_second, settings.redis_url.get_secret_value())

    def running(self) -> AbstractAsyncContextManager[None]:
        """Count for as long as the context lasts."""
        return self._rate.running()

    async def count(self, request: Request, caller: Identity) -> None:
        """Count a write; raise TooManyRequests."""
        if not await self._rate.permits(self._name(request, caller)):
            limited.labels("writes").inc()
            raise TooManyRequests(f"at most {self._per_second} writes a second: send this one again in a second")

    def _name(self, request: Request, caller: Identity) -> str:
        if caller.subject is not None:
            return f"user:{caller.subject}"
        forwarded = ",".join(request.headers.getlist("x-forwarded-for"))
        return client_address(request.client.host if request.client else "", forwarded, self._trusted)
