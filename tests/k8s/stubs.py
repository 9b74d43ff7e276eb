"""Tiny servers in the services' place, that tell who they are and what reached them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from deploy.local.ports import free_ports


class Stubs:
    """The pods of one service, each with an address of its own on the loopback interface."""

    def __init__(self, name: str, addresses: list[str]) -> None:
        self.name = name
        self.addresses = addresses
        [self.port] = free_ports(1)
        self.reached: list[str] = []
        """The path of each request that was passed on for a client, as it came."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run them."""
        runners = []
        try:
            for address in self.addresses:
                runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=1)
                await runner.setup()
                runners.append(runner)
                await web.TCPSite(runner, address, self.port).start()
            yield
        finally:
            for runner in runners:
                await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        if "X-Forwarded-For" in request.headers:  # and no check of the proxy's own
            self.reached.append(request.raw_path)
        assert request.transport is not None
        address = request.transport.get_extra_info("sockname")[0]
        return web.json_response(
            {
                "service": self.name,
                "address": address,
                "path": request.raw_path,
                "headers": {name: request.headers[name] for name in request.headers},
            }
        )
