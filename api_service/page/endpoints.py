"""The live catalogue page: one HTML document, its files, and what it must know to connect."""

import os
from pathlib import Path
from typing import Any, Protocol

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel

from api_service.page.headers import FILE_HEADERS, page_headers
from api_service.page.reference import reference
from shared.browser import CLIENT

STATIC = Path(__file__).parent / "static"
_CLIENT = {f"client/{name}": file for name, file in CLIENT.items()}

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
    writing_takes_token: bool
    reading_takes_token: bool


@router.api_route("/", methods=["GET", "HEAD"])
async def read_page(request: Request) -> FileResponse:
    """Serve the live catalogue."""
    return FileResponse(STATIC / "index.html", headers=page_headers(_settings(request).public_ws_url))


@router.get("/config.json")
async def read_config(request: Request) -> PageConfig:
    """Tell the page where the sockets are, and what takes a token."""
    settings = _settings(request)
    has_tokens = settings.auth != "off"
    return PageConfig(
        socket_url=settings.public_ws_url,
        socket_path=settings.socket_path,
        writing_takes_token=has_tokens,
        reading_takes_token=has_tokens and not settings.public_read,
    )


@router.get("/docs")
async def read_reference(request: Request) -> HTMLResponse:
    """Show people the calls of the API."""
    return HTMLResponse(reference(request.app.openapi()), headers=page_headers(public_ws_url=""))


def static_files() -> StaticFiles:
    """Make the application that serves the page's scripts and styles, to be mounted at `/static`."""
    return _PageFiles(directory=STATIC)


class _PageFiles(StaticFiles):
    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        # The emitter serves the client module too; but the products are shown also while it is away.
        if file := _CLIENT.get(path):
            return str(file), file.stat()
        return super().lookup_path(path)

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update(FILE_HEADERS)
        return response


def _settings(request: Request) -> PageSettings:
    settings: PageSettings = request.app.state.settings
    return settings
