"""The command line, put together."""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import typer

from deploy.cli.commands import check_config, create, seed, tail, token, up
from deploy.cli.errors import CommandError
from deploy.cli.terminal import ReaderGone, printable
from shared.errors import StartupError

CANNOT_RUN = 2
EPILOG = """\b
Examples:
  storecast up
  storecast seed --count 1000
  storecast tail --topic category:books
  storecast COMMAND --help

\b
Exit codes (docs/cli.md says more):
  0    done
  1    the service refused
  2    nothing was sent: the command line, a setting or this machine
  3    nothing answers there, or not now
  130  Ctrl-C before it was done
"""


def create_app() -> typer.Typer:
    """Return the command line with all of its commands."""
    app = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        # Help is plain text: it is read in pipes and narrow windows, too.
        rich_markup_mode=None,
    )
    app.callback(epilog=EPILOG)(storecast)
    app.command(epilog=up.EXAMPLES)(up.up)
    app.command(epilog=create.EXAMPLES)(create.create)
    app.command(epilog=seed.EXAMPLES)(seed.seed)
    app.command(epilog=tail.EXAMPLES)(tail.tail)
    app.command(epilog=check_config.EXAMPLES)(check_config.check_config)
    app.command(
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        # The options are read where containers, which have no typer, read them too.
        add_help_option=False,
    )(token.token)
    return app


def storecast() -> None:
    """Storecast: a live product catalogue."""


def main() -> None:
    """Run the command line; whatever cannot be done is said line by line, never by a traceback.

    The exit codes are those of `docs/cli.md`.
    """
    try:
        create_app()()
    except StartupError as error:
        _end(CANNOT_RUN, [str(error)])
    except CommandError as error:
        _end(error.exit_code, error.lines)
    except ReaderGone:
        # What Python flushes in the end goes nowhere as well.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _end(exit_code: int, lines: Sequence[str]) -> NoReturn:
    for line in lines:
        typer.echo(f"storecast: {printable(line)}", err=True)
    sys.exit(exit_code)
