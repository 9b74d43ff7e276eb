"""The command line, put together."""

import sys

import typer

from deploy.cli.commands import token, up
from shared.errors import StartupError

CANNOT_RUN = 2


def create_app() -> typer.Typer:
    """Return the command line with all of its commands."""
    app = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        # Help is plain text: it is read in pipes and narrow windows, too.
        rich_markup_mode=None,
    )
    app.callback()(storecast)
    app.command()(up.up)
    app.command(
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        # The options are read where containers, which have no typer, read them too.
        add_help_option=False,
    )(token.token)
    return app


def storecast() -> None:
    """Storecast: a live product catalogue."""


def main() -> None:
    """Run the command line; what the user has to change is one line and exit code 2, never a traceback."""
    try:
        create_app()()
    except StartupError as error:
        typer.echo(f"storecast: {error}", err=True)
        sys.exit(CANNOT_RUN)
