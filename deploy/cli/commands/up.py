"""`storecast up`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

EXAMPLES = """\b
Examples:
  storecast up
  storecast up --replicas 5 --mongo-members 3
  storecast up --emitters 3 --gateway haproxy --port 9090
"""


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
        Literal["auto", "nginx", "haproxy", "traefik", "none"],
        typer.Option(help="One origin for all through a proxy, or none; auto: nginx if it is there."),
    ] = "auto",
) -> None:
    """Start the whole system on this machine; Ctrl-C stops it, the data stay."""
    import asyncio

    from deploy.cli.terminal import console
    from deploy.local.display import Display
    from deploy.local.settings import LocalSettings
    from deploy.local.system import Options
    from deploy.local.up import up as run

    options = Options(port, replicas, mongo_url, data_dir, gateway, int(mongo_members), emitters, redis_url)
    settings = LocalSettings.load()
    with Display(console()) as display:
        asyncio.run(run(options, settings, display))
