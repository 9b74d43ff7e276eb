"""`storecast seed`."""

from typing import Annotated

import typer

from deploy.cli.options import ORIGIN, Origin, Token

EXAMPLES = """\b
Examples:
  storecast seed --count 10000
  storecast seed --count 100 --category books --category garden --seed 7
"""

MOST = 1_000_000


def seed(
    count: Annotated[int, typer.Option(min=1, max=MOST, help="How many products.")] = 1_000,
    category: Annotated[
        list[str] | None,
        typer.Option(metavar="SLUG", help="One of those that there are words for; may be repeated.  [default: all]"),
    ] = None,
    number: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="The same number makes the same products.")
    ] = None,
    origin: Origin = ORIGIN,
    token: Token = None,
) -> None:
    """Fill the catalogue with plausible products, in batches; each is made once, whatever happens on the way."""
    import asyncio
    import random

    from rich.text import Text

    from deploy.cli.seed.catalogue import CATEGORIES, products
    from deploy.cli.seed.run import Tally
    from deploy.cli.seed.run import seed as run
    from deploy.cli.terminal import console, show

    if unknown := [each for each in category or () if each not in CATEGORIES]:
        known = ", ".join(CATEGORIES)
        raise typer.BadParameter(f"there are no words for {unknown[0]!r}; use {known}", param_hint="--category")
    chosen = random.randrange(MOST) if number is None else number  # noqa: S311  # no secret
    tally = Tally(count, console(stderr=True))
    try:
        asyncio.run(run(origin, token, products(count, chosen, category or CATEGORIES), tally))
    except KeyboardInterrupt:
        show(console(stderr=True), Text(f"stopped: {tally}"))
        raise
    show(console(), Text(f"{tally}; the same again: --seed {chosen}"))
