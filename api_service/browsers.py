"""What browsers are told with every answer: what to do with it, and which pages of other origins may have it."""

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api_service.settings import Settings
from shared.serving.requests import REQUEST_ID_HEADER

SAFE_HEADERS = {
    # Answers may be for one caller alone.
    "Cache-Control": "no-store",
    # Whatever it is, it is no document that runs, loads or frames anything (the page has a policy of its own).
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    # Neither read by the window that opened it, nor loaded as a picture or a script by a page of another origin.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""What an answer has that does not say otherwise itself. HTTPS alone (HSTS) is the word of whoever ends TLS."""


def add_browser_rules(app: FastAPI, settings: Settings) -> None:
    """Have every answer carry the headers above, and let pages of the allowed origins call.

    Without credentials: tokens come in a header of their own, and no cookie of ours means anything.
    """
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.allowed_origins,
        allow_methods=("GET", "HEAD", "POST", "PATCH", "DELETE"),
        allow_headers=("Authorization", "Idempotency-Key", "If-Match", REQUEST_ID_HEADER),
        expose_headers=("ETag", "Location", "Retry-After", REQUEST_ID_HEADER, "X-Served-By"),
    )
    app.add_middleware(_SafeHeaders)


class _SafeHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SAFE_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_safely)
