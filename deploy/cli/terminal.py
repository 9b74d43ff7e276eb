"""What is shown: with colours on terminals whose owner wants them, as plain text everywhere else."""

import sys
from typing import NoReturn

from rich.console import Console
from rich.text import Text

_NOT_SHOWN = "\N{REPLACEMENT CHARACTER}"


class ReaderGone(Exception):
    """Nobody reads our standard output any more: `storecast ... | head` has had enough."""


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        raise ReaderGone from None


def console(*, stderr: bool = False) -> Console:
    """Return where to print; https://no-color.org is taken to mean bold and the like as well."""
    made = _Console(stderr=stderr, highlight=False)
    return _Console(stderr=stderr, highlight=False, color_system=None) if made.no_color else made


def show(target: Console, text: Text) -> None:
    """Print a line, as long as it is: what was broken over two lines could not be copied or searched for."""
    target.print(text, soft_wrap=True)


def write_line(line: bytes) -> None:
    """Write a line for a program, and have it at once; raise ReaderGone."""
    try:
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise ReaderGone from None


def printable(text: str) -> str:
    """Return what a terminal shows and does not obey: another program may have stored anything as a name."""
    return "".join(character if character.isprintable() else _NOT_SHOWN for character in text)
