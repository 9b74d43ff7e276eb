"""`storecast create`."""

from typing import Annotated

import typer

from deploy.cli.options import ORIGIN, Json, Origin, Token

EXAMPLES = """\b
Examples:
  storecast create "Moka pot" --price 24.90
  storecast create "Moka pot" --price 24.90 --currency EUR --category kitchen --tag coffee --tag steel --stock 12
  storecast create "Moka pot" --price 24.90 --json
"""


def create(  # noqa: PLR0913, PLR0917 - each is an option of the command line, given by name
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called.")],
    price: Annotated[str, typer.Option(metavar="DECIMAL", help="What it costs, like 24.90.")],
    currency: Annotated[str | None, typer.Option(metavar="CODE", help="Of the price, by ISO 4217.  [default: USD]")] = (
        None
    ),
    category: Annotated[
        str | None, typer.Option(metavar="SLUG", help="In lower case, like garden-tools.  [default: general]")
    ] = None,
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="More about it.")] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="May be repeated.")] = None,
    stock: Annotated[int | None, typer.Option(metavar="N", help="How many there are.")] = None,
    as_json: Json = False,  # noqa: FBT002 - given by name on the command line
    origin: Origin = ORIGIN,
    token: Token = None,
) -> None:
    """Create a product."""
    import asyncio

    import orjson

    from deploy.cli.create import create as run
    from deploy.cli.product import product_lines
    from deploy.cli.terminal import console, show, write_line

    fields = {
        "name": name,
        "price": price,
        "currency": currency,
        "category": category,
        "description": description,
        "tags": tag,
        "stock": stock,
    }
    # What is not said is left to the service, which knows the defaults.
    draft = {field: value for field, value in fields.items() if value is not None and value != []}
    product = asyncio.run(run(origin, token, draft))
    if as_json:
        write_line(orjson.dumps(product))
        return
    target = console()
    for line in product_lines(product):
        show(target, line)
