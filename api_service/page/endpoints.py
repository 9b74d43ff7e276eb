"""The live catalogue and the operator view: an HTML document each, their files, and what they must know to connect."""

from pathlib import Path
from typing import Protocol

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel

from api_service.errors import NotFound
from api_service.page.headers import FILE_HEADERS, page_headers
from api_service.page.reference import reference
from shared.browser import CLIENT
from shared.serving.kept_file import kept_file

STATIC = Path(__file__).parent / "static"
_FILES = {file.relative_to(STATIC).as_posix(): file for file in STATIC.rglob("*.*")}
# The emitter serves the client module too; but the products are shown also while it is away.
_FILES |= {f"client/{name}": file for name, file in CLIENT.items()}

router = APIRouter(include_in_schema=False)


class PageSettings(Protocol):
    """What the page needs of the service's settings."""

    @property
    def public_ws_url(self) -> str:
        """The emitter's origin as a browser reaches it; empty = the page's own."""

    @property
    def socket_path(self) -> str:
        """The path of the sockets at that origin."""

    @property
    def auth(self) -> str:
        """Whether callers show tokens, or `off`."""

    @property
    def public_read(self) -> bool:
        """Whether anybody may read."""


class PageConfig(BaseModel):
    """What the page asks for before it connects."""

    socket_url: str
    socket_path: str
    takes_token: bool
    reading_takes_token: bool


@router.api_route("/", methods=["GET", "HEAD"])
async def read_page(request: Request) -> Response:
    """Serve the live catalogue."""
    return _page("index.html", request, _settings(request).public_ws_url)


@router.api_route("/static/{name:path}", methods=["GET", "HEAD"])
async def read_file(name: str, request: Request) -> Response:
    """Serve what the page is made of."""
    if name not in _FILES:
        raise NotFound(f"the page has no file {name}")
    return kept_file(_FILES[name]).answer(request, FILE_HEADERS)


@router.api_route("/operate", methods=["GET", "HEAD"])
async def read_operator_view(request: Request) -> Response:
    """Serve the operator view. It holds nothing that is not public: what it shows it asks for with a token."""
    return _page("operate.html", request, "")


@router.get("/config.json")
async def read_config(request: Request) -> PageConfig:
    """Tell the page where the sockets are, and what takes a token."""
    settings = _settings(request)
    has_tokens = settings.auth != "off"
    return PageConfig(
        socket_url=settings.public_ws_url,
        socket_path=settings.socket_path,
        takes_token=has_tokens,
        reading_takes_token=has_tokens and not settings.public_read,
    )


@router.get("/docs")
async def read_reference(request: Request) -> HTMLResponse:
    """Show people the calls of the API."""
    return HTMLResponse(reference(request.app.openapi()), headers=page_headers(public_ws_url=""))


def _page(name: str, request: Request, public_ws_url: str) -> Response:
    return kept_file(STATIC / name).answer(request, page_headers(public_ws_url))


def _settings(request: Request) -> PageSettings:
    settings: PageSettings = request.app.state.settings
    return settings
