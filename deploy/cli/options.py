"""Options that several commands have: which Storecast, and who asks."""

from typing import Annotated
from urllib.parse import urlsplit

import typer

URL_VARIABLE = "STORECAST_URL"
TOKEN_VARIABLE = "STORECAST_TOKEN"  # noqa: S105 - its name


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in {"", "/"} or parts.query:
        raise typer.BadParameter("give the origin alone, like http://127.0.0.1:8080 or https://shop.example")
    return text.rstrip("/")


def _token(text: str | None) -> str | None:
    # Not as the option of a library would say it: it repeats what was given.
    if text is not None and not (text.isascii() and text.isprintable() and text and " " not in text):
        raise typer.BadParameter("a token is one word of printable ASCII")
    return text


Origin = Annotated[
    str,
    typer.Option(callback=_origin, envvar=URL_VARIABLE, metavar="URL", help="Which Storecast: where its page is."),
]
ORIGIN = "http://127.0.0.1:8080"

Token = Annotated[
    str | None,
    typer.Option(
        callback=_token,
        envvar=TOKEN_VARIABLE,
        metavar="JWT",
        help="Who you are, where Storecast asks; better in the variable, as others see command lines.",
    ),
]

Json = Annotated[bool, typer.Option("--json", help="For programs: JSON, one object a line.")]
