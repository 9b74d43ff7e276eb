"""The AsyncAPI document as an emitter serves it."""

import json
from http import HTTPStatus

import pytest

from deploy.asyncapi.document import document
from tests.integration.emitter import Emitter


@pytest.mark.parametrize("path", ["/websocket-service", "/live/sockets", "/"])
async def test_it_says_where_the_sockets_are(path: str) -> None:
    """It is the document of the repository, with the path of this very emitter, to be asked for again."""
    expected = document()
    for server in expected["servers"].values():
        server["variables"]["path"]["default"] = path
    async with Emitter.running(socket_path=path) as emitter:
        url = f"{path.rstrip('/')}/asyncapi.json"
        answer = await emitter.public.get(url)
        assert json.loads(answer.content) == expected
        assert answer.headers["Content-Type"] == "application/json"
        same = await emitter.public.get(url, headers={"If-None-Match": answer.headers["ETag"]})
        assert same.status_code == HTTPStatus.NOT_MODIFIED
        assert (await emitter.public.head(url)).status_code == HTTPStatus.OK
        assert (await emitter.public.post(url)).status_code == HTTPStatus.METHOD_NOT_ALLOWED
