"""A small imitation of Docker's API, as far as one may look at containers and hear of changes."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import web

_VERSION = {"Version": "28.2.2", "ApiVersion": "1.50", "MinAPIVersion": "1.24", "Os": "linux", "Arch": "amd64"}


class Container(NamedTuple):
    """A container of a compose project."""

    name: str
    labels: Mapping[str, str]
    networks: Mapping[str, str]
    """Its address in each of its networks."""
    health: str = "healthy"

    @property
    def id(self) -> str:
        """What Docker knows it by."""
        return hashlib.sha256(self.name.encode()).hexdigest()

    def seen(self) -> dict[str, Any]:
        """Return what Docker says about it, in a list and by itself."""
        networks = {
            name: {"NetworkID": hashlib.sha256(name.encode()).hexdigest(), "IPAddress": address}
            for name, address in self.networks.items()
        }
        return {
            "Id": self.id,
            "Name": f"/{self.name}",
            "Names": [f"/{self.name}"],
            "Created": "2026-11-21T10:00:00Z",
            "Config": {"Labels": dict(self.labels), "Env": ["STORECAST_EMITTER_SECRET=of-no-use-to-a-proxy"]},
            "HostConfig": {"NetworkMode": next(iter(self.networks))},
            "NetworkSettings": {"Ports": {}, "Networks": networks},
            "State": {"Status": "running", "Running": True, "Health": {"Status": self.health}},
        }


class DockerApi:
    """Tells of containers; `change` is what a person would do to them."""

    def __init__(self, containers: list[Container]) -> None:
        self.asked: list[str] = []
        """Every request, by its method and path."""
        self._containers = containers
        self._listeners: set[asyncio.Queue[str]] = set()

    @asynccontextmanager
    async def running(self, socket: Path) -> AsyncIterator[None]:
        """Run on a socket."""
        app = web.Application(middlewares=[self._note])
        for prefix in ("", "/v{version}"):
            app.router.add_get(f"{prefix}/_ping", self._ping)
            app.router.add_get(f"{prefix}/version", self._version)
            app.router.add_get(f"{prefix}/events", self._events)
            app.router.add_get(f"{prefix}/containers/json", self._list)
            app.router.add_get(f"{prefix}/containers/{{id}}/json", self._inspect)
        app.router.add_route("*", "/{rest:.*}", self._anything_else)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        await web.UnixSite(runner, str(socket)).start()
        try:
            yield
        finally:
            for listener in self._listeners:
                listener.put_nowait("")
            await runner.cleanup()

    def change(self, containers: list[Container]) -> None:
        """Have other containers, and tell so."""
        self._containers = containers
        for listener in self._listeners:
            listener.put_nowait("health_status: healthy")

    @web.middleware
    async def _note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path}")
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _ping(self, _: web.Request) -> web.Response:
        return web.Response(text="OK", headers={"Api-Version": _VERSION["ApiVersion"]})

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response(_VERSION)

    async def _list(self, _: web.Request) -> web.Response:
        seen = [each.seen() for each in self._containers]
        for each in seen:  # in a list some things are elsewhere, or another type
            each.update(Labels=each.pop("Config")["Labels"], State="running", Created=0)
        return web.json_response(seen)

    async def _inspect(self, request: web.Request) -> web.Response:
        found = [each.seen() for each in self._containers if each.id == request.match_info["id"]]
        return web.json_response(found[0]) if found else web.json_response({"message": "no such container"}, status=404)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._listeners.add(queue)
        while action := await queue.get():
            event = {"Type": "container", "Action": action, "status": action, "Actor": {"ID": "0", "Attributes": {}}}
            await response.write(json.dumps(event).encode() + b"\n")
        return response

    async def _anything_else(self, _: web.Request) -> web.Response:
        return web.json_response({"reached": True})
