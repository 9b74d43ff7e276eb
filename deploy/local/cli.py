"""The command line: `storecast`."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from deploy.local.display import Display
from deploy.local.gateway import Choice
from deploy.local.settings import LocalSettings, TokenSettings
from deploy.local.system import Options
from deploy.local.up import up as run_up
from shared.errors import StartupError
from shared.identity.command import read_options
from shared.identity.minting import mint

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback()
def storecast() -> None:
    """Storecast: a live product catalogue."""


@app.command()
def up(  # noqa: PLR0913, PLR0917 - each is an option of the command line, given by name
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the page and the product API will be.")] = 8080,
    replicas: Annotated[int, typer.Option(min=1, max=50, help="How many replicas of the product API.")] = 3,
    emitters: Annotated[int, typer.Option(min=1, max=20, help="How many emitters; several share a Redis.")] = 1,
    mongo_url: Annotated[
        str | None,
        typer.Option(help="A running MongoDB replica set, version 6.0 or later, to be used instead of an own one."),
    ] = None,
    mongo_members: Annotated[
        Literal["1", "3"], typer.Option(help="How many members the own MongoDB has; of three, one may die at a time.")
    ] = "1",
    redis_url: Annotated[
        str | None, typer.Option(help="A running Redis, version 6.2 or later, to be used instead of an own one.")
    ] = None,
    data_dir: Annotated[Path, typer.Option(file_okay=False, help="Where data, logs and process ids are kept.")] = Path(
        ".storecast"
    ),
    gateway: Annotated[
        Choice, typer.Option(help="One origin for all through a proxy, or none; auto: nginx if it is there.")
    ] = "auto",
) -> None:
    """Start the whole system on this machine; Ctrl-C stops it, the data stay."""
    options = Options(port, replicas, mongo_url, data_dir, gateway, int(mongo_members), emitters, redis_url)
    settings = LocalSettings.load()
    with Display(Console()) as display:
        asyncio.run(run_up(options, settings, display))


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    # The options are read where containers, which have no typer, read them too.
    add_help_option=False,
)
def token(context: typer.Context) -> None:
    """Make a token for trying things out: --sub NAME --scope SCOPE --minutes N."""
    wanted = read_options("storecast token", context.args)
    typer.echo(mint(TokenSettings.load(), *wanted))


def main() -> None:
    """Run the command line; what the user has to change is one line and exit code 2, never a traceback."""
    try:
        app()
    except StartupError as error:
        typer.echo(f"storecast: {error}", err=True)
        sys.exit(2)
