"""`storecast tail`."""

from typing import Annotated

import typer

from deploy.cli.options import ORIGIN, Json, Origin, Token

EXAMPLES = """\b
Examples:
  storecast tail
  storecast tail --topic category:books --topic category:garden
  storecast tail --json | head -n 1
  storecast tail --json --after 5c1f0a:17
"""


def tail(
    topic: Annotated[
        list[str] | None,
        typer.Option(metavar="TOPIC", help="Like category:books; may be repeated.  [default: products, all of them]"),
    ] = None,
    after: Annotated[
        str | None, typer.Option(metavar="OFFSET", help="First what came after it: the `offset` of an event.")
    ] = None,
    as_json: Json = False,  # noqa: FBT002 - given by name on the command line
    origin: Origin = ORIGIN,
    token: Token = None,
) -> None:
    """Print events as they happen, each once, until Ctrl-C; lost connections are made good."""
    from deploy.cli.tail.run import tail as run
    from deploy.cli.tail.run import tell_people, tell_programs

    run(origin, topic or (), token, after, tell_programs if as_json else tell_people())
