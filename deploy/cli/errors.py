"""What ends a command, one line each, and the exit code that it means.

CommandError
+-- Refused         1  the service says no: the same again would be refused again
+-- Misconfigured   2  settings are wrong
+-- NotThere        3  nothing answers at the origin: nothing was sent
+-- Unavailable     3  the service cannot now, or the connection was lost on the way: worth another try

StartupError (2, shared.errors) is what the services and `up` say about settings, and about what this machine lacks.
"""

from collections.abc import Sequence


class CommandError(Exception):
    """A command could not do what it was asked for. Each of `lines` tells one thing that is wrong."""

    exit_code = 1

    def __init__(self, *lines: str, retry_after_s: float = 0) -> None:
        super().__init__("; ".join(lines))
        self.lines: Sequence[str] = lines
        self.retry_after_s = retry_after_s
        """How long the service wants to be left alone."""


class Refused(CommandError):
    """The service says no."""


class Misconfigured(CommandError):
    """Settings are wrong."""

    exit_code = 2


class NotThere(CommandError):
    """Nothing answers."""

    exit_code = 3


class Unavailable(CommandError):
    """It may work in a moment."""

    exit_code = 3
