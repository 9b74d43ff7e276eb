"""Makes plausible products out of words. Pure: the same seed makes the same products."""

import math
import random
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from deploy.cli.seed.shelves import SHELVES, Shelf

CATEGORIES = tuple(shelf.category for shelf in SHELVES)

_ENDINGS = ("00", "50", "90", "95", "99")
_MOST_STOCK = 200
_SOLD_OUT = 0.05
_UNCOUNTED = 0.05


def products(count: int, seed: int, categories: Sequence[str] = CATEGORIES) -> Iterator[dict[str, Any]]:
    """Make drafts of products, in those categories."""
    dice = random.Random(seed)  # noqa: S311  # nothing here is a secret
    shelves = [shelf for shelf in SHELVES if shelf.category in categories]
    for _ in range(count):
        yield _product(dice, dice.choice(shelves))


def _product(dice: random.Random, shelf: Shelf) -> dict[str, Any]:
    thing = dice.choice(shelf.things)
    return {
        "name": f"{dice.choice(shelf.kinds)} {thing}",
        "description": " ".join(dice.sample(shelf.praises, dice.randint(1, 2))),
        "price": str(_price(dice, shelf)),
        "category": shelf.category,
        "tags": sorted(dice.sample(shelf.tags, dice.randint(0, 3))),
        "stock": _stock(dice),
    }


def _price(dice: random.Random, shelf: Shelf) -> Decimal:
    # Even in the logarithm: cheap things are many, dear ones are few.
    amount = int(math.exp(dice.uniform(math.log(shelf.cheapest), math.log(shelf.dearest))))
    return Decimal(f"{amount}.{dice.choice(_ENDINGS)}")


def _stock(dice: random.Random) -> int | None:
    lot = dice.random()
    if lot < _UNCOUNTED:
        return None
    return 0 if lot < _UNCOUNTED + _SOLD_OUT else dice.randint(1, _MOST_STOCK)
