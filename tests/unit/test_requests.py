import json
import logging
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import structlog
from fastapi import FastAPI
from prometheus_client import REGISTRY
from pydantic import SecretStr

from api_service.browsers import SAFE_HEADERS
from shared.logs import configure_logging
from shared.serving.http.errors import add_error_handlers
from shared.serving.requests import REQUEST_ID_HEADER, Requests, request_id_headers
from shared.settings import ServiceSettings

_ID = {REQUEST_ID_HEADER: "order-4711"}


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Logging is global: whatever a test sets up is taken back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def _app(*, binds_id: bool) -> FastAPI:
    app = FastAPI()
    app.add_middleware(Requests, binds_id=binds_id)
    add_error_handlers(app, SAFE_HEADERS)

    @app.api_route("/things/{name}", methods=["GET", "PROPFIND"])
    async def thing(name: str) -> dict[str, str]:
        structlog.get_logger("things").info("looked", length=len(name))
        return request_id_headers()

    @app.get("/bug")
    async def bug() -> None:
        raise RuntimeError("a fault")

    return app


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application whose requests' lines have their ids."""
    transport = httpx.ASGITransport(_app(binds_id=True), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        yield http


def _log(level: str) -> None:
    configure_logging(
        ServiceSettings.model_validate({"emitter_secret": SecretStr("x" * 16), "log_level": level}), "api"
    )


def _count(method: str, route: str, status: int) -> float:
    labels = {"method": method, "route": route, "status": str(status)}
    return REGISTRY.get_sample_value("storecast_http_requests_total", labels) or 0


async def test_a_request_keeps_its_id_in_the_answer_in_its_lines_and_further_on(
    http: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever gave it finds each line that it caused; other services are given it, too."""
    _log("info")

    response = await http.get("/things/a", headers=_ID)

    assert response.headers[REQUEST_ID_HEADER] == "order-4711"
    assert response.json() == _ID
    [line] = map(json.loads, capsys.readouterr().err.splitlines())
    assert (line["event"], line["request_id"]) == ("looked", "order-4711")


async def test_a_fault_of_ours_is_counted_once_and_answered_with_the_id(http: httpx.AsyncClient) -> None:
    """That answer is made outside of all else; who reports it can name the request all the same."""
    before = _count("GET", "/bug", 500)

    response = await http.get("/bug", headers=_ID)

    assert (response.status_code, response.headers[REQUEST_ID_HEADER]) == (500, "order-4711")
    assert _count("GET", "/bug", 500) == before + 1


async def test_an_answer_that_breaks_off_is_counted_as_it_began() -> None:
    """One request is one count: not a second one when its body fails."""

    async def breaks_off(_scope: object, _receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 200})  # type: ignore[operator]  # as ASGI has it
        raise ConnectionError

    async def nothing() -> dict[str, str]: ...  # type: ignore[empty-body]  # never called

    async def ignore(_message: object) -> None: ...

    before = _count("GET", "none", 200), _count("GET", "none", 500)
    scope = {"type": "http", "method": "GET", "headers": []}
    with pytest.raises(ConnectionError):
        await Requests(breaks_off, binds_id=False)(scope, nothing, ignore)

    assert (_count("GET", "none", 200), _count("GET", "none", 500)) == (before[0] + 1, before[1])


async def test_invented_methods_make_no_series_of_their_own(http: httpx.AsyncClient) -> None:
    """What a caller makes up does not fill the memory."""
    before = _count("other", "/things/{name}", 200)

    assert (await http.request("PROPFIND", "/things/a")).status_code == 200

    assert _count("other", "/things/{name}", 200) == before + 1
    assert not _count("PROPFIND", "/things/{name}", 200)


async def test_the_time_to_the_answer_is_measured_by_route(http: httpx.AsyncClient) -> None:
    """In seconds, whatever the path was."""
    labels = {"method": "GET", "route": "/things/{name}"}
    name = "storecast_http_request_duration_seconds"
    before = REGISTRY.get_sample_value(f"{name}_count", labels) or 0

    await http.get("/things/b")

    assert REGISTRY.get_sample_value(f"{name}_count", labels) == before + 1
    assert REGISTRY.get_sample_value(f"{name}_sum", labels)


async def test_each_request_has_a_line_only_where_it_is_asked_for(
    http: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    """On level debug: with the route, and never the path or the query, which may tell of people."""
    _log("debug")

    await http.get("/things/hunter2?q=hunter2", headers=_ID)

    told = capsys.readouterr().err
    [line] = [line for line in map(json.loads, told.splitlines()) if line["event"] == "answered"]
    assert line.items() >= {"request_id": "order-4711", "route": "/things/{name}", "status": 200}.items()
    assert "hunter2" not in told


async def test_where_work_outlives_a_request_its_id_is_bound_to_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A timer that is set meanwhile would say for ever that it belongs to this request. The answer has the id."""
    _log("info")
    transport = httpx.ASGITransport(_app(binds_id=False))
    async with httpx.AsyncClient(transport=transport, base_url="http://emitter") as http:
        response = await http.get("/things/a", headers=_ID)

    assert (response.headers[REQUEST_ID_HEADER], response.json()) == ("order-4711", {})
    [line] = map(json.loads, capsys.readouterr().err.splitlines())
    assert "request_id" not in line
