"""The client module as an emitter serves it, for pages without a build step."""

from http import HTTPStatus

import pytest

from tests.client import NODE_MODULES, SOURCES
from tests.integration.emitter import Emitter


@pytest.mark.parametrize("path", ["/websocket-service", "/"])
async def test_the_emitter_serves_it(path: str) -> None:
    """The module and the stock client that it imports: as they are, as scripts, to be asked for again."""
    stock = NODE_MODULES / "socket.io-client/dist/socket.io.esm.min.js"
    async with Emitter.running(socket_path=path) as emitter:
        for name, file in {"client.js": SOURCES / "client.js", "socket.io.js": stock}.items():
            url = f"{path.rstrip('/')}/{name}"
            answer = await emitter.public.get(url)
            assert answer.content == file.read_bytes()
            same = await emitter.public.get(url, headers={"If-None-Match": answer.headers["ETag"]})
            other = await emitter.public.get(url, headers={"If-None-Match": '"another"'})
            statuses = [each.status_code for each in (answer, same, other, await emitter.public.head(url))]
            assert statuses == [HTTPStatus.OK, HTTPStatus.NOT_MODIFIED, HTTPStatus.OK, HTTPStatus.OK]
            assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
            for each in (answer, same):
                assert each.headers["Cache-Control"] == "no-cache"
                assert each.headers["X-Content-Type-Options"] == "nosniff"
                assert each.headers["Vary"] == "Origin"
        for name in ("index.d.ts", "package.json", "endpoints.py", "client.js/"):
            answer = await emitter.public.get(f"{path.rstrip('/')}/{name}")
            assert answer.status_code == HTTPStatus.NOT_FOUND, name


@pytest.mark.parametrize("name", ["client.js", "socket.io.js", "asyncapi.json"])
async def test_pages_of_allowed_origins_may_import_it(name: str) -> None:
    """A browser gives a module to nobody else; what it has kept is asked for again with the origin of then."""
    page = "https://shop.example"
    async with Emitter.running(allowed_origins=[page]) as emitter:
        url = f"/websocket-service/{name}"
        etag = (await emitter.public.get(url)).headers["ETag"]
        for headers in ({}, {"If-None-Match": etag}):
            allowed = await emitter.public.get(url, headers={"Origin": page, **headers})
            assert allowed.headers["Access-Control-Allow-Origin"] == page
            foreign = await emitter.public.get(url, headers={"Origin": "https://elsewhere.example", **headers})
            assert "Access-Control-Allow-Origin" not in foreign.headers
