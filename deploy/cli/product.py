"""A product as a person reads it."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from deploy.cli.terminal import printable

_LABEL_WIDTH = 13


def price_of(product: Mapping[str, Any]) -> str:
    """Return the price with its currency; nothing where there is none."""
    return printable(f"{product.get('price', '')} {product.get('currency', '')}".strip())


def product_lines(product: Mapping[str, Any]) -> Iterator[Text]:
    """Tell of a product: its name and price, and below what else it has."""
    yield Text.assemble((printable(product["name"]), "bold"), "  ", (price_of(product), "green"))
    details = {
        "id": product["id"],
        "category": product["category"],
        "tags": ", ".join(product["tags"]),
        "stock": "" if product["stock"] is None else str(product["stock"]),
        "description": " ".join(product["description"].split()),
        "created": product["created_at"],
    }
    for label, value in details.items():
        if value:
            yield Text.assemble((f"  {label:<{_LABEL_WIDTH}}", "cyan"), printable(value))
