"""The only file of the command line that reads the environment: what is set there, or in a file of secrets."""

import os
from collections.abc import Iterator
from typing import NamedTuple

from shared import settings
from shared.settings import PREFIX


class Given(NamedTuple):
    """What somebody has set, and where; `text` is None where it cannot be read."""

    text: str | None
    source: str


def given() -> dict[str, Given]:
    """Return all that is set, by the variable's name in upper case; a variable counts before a file."""
    return dict(_files()) | dict(_variables())


def _variables() -> Iterator[tuple[str, Given]]:
    for name, value in os.environ.items():
        if name.upper().startswith(PREFIX):
            yield name.upper(), Given(value, "environment")


def _files() -> Iterator[tuple[str, Given]]:
    folder = settings.secrets_folder()
    for file in folder.iterdir() if folder else ():
        if file.name.upper().startswith(PREFIX) and file.is_file():
            try:
                yield file.name.upper(), Given(file.read_text().strip(), str(file))
            except (OSError, UnicodeDecodeError):
                yield file.name.upper(), Given(None, str(file))
