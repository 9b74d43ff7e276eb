"""FastAPI as both services need it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI


class ServiceApp(FastAPI):
    """FastAPI without its pages, its telemetry and its redirects, and with a document that says what is true.

    Args:
        title: What it is.
        lifespan: What goes on while it serves.
        describe: Is given FastAPI's OpenAPI document, and returns it completed.
    """

    def __init__(
        self,
        title: str,
        lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
        describe: Callable[[dict[str, Any]], dict[str, Any]],
    ) -> None:
        super().__init__(
            title=title,
            version="1",
            lifespan=lifespan,
            redirect_slashes=False,
            # FastAPI's own pages run scripts from elsewhere, which could read the tokens that our page keeps.
            docs_url=None,
            redoc_url=None,
            # Nothing here collects it: /metrics is what there is.
            telemetry={"tracing": False, "metrics": False, "logs": False},
        )
        self._describe = describe

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        if not self.openapi_schema:
            self.openapi_schema = self._describe(super().openapi())
        return self.openapi_schema
