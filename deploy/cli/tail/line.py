"""An event as a person reads it, in one line. Pure, but for the time zone."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.text import Text

from deploy.cli.product import price_of
from deploy.cli.terminal import printable

_STYLES = {"new_product": "green", "product_updated": "yellow", "product_deleted": "red", "resync": "bold red"}
_EVENT_WIDTH = max(map(len, _STYLES))
_SEQ_WIDTH = 7
_NO_TIME = "--:--:--.---"


def event_line(message: Mapping[str, Any]) -> Text:
    """Tell of an event: when, what, its number, and the product's name and price, or whatever else it brings."""
    event, payload, meta = message["event"], message["payload"], message["meta"]
    line = Text.assemble(
        (_clock(meta.get("time", "")), "dim"),
        "  ",
        (f"{printable(event):<{_EVENT_WIDTH}}", _STYLES.get(event, "magenta")),
        (f"{meta.get('seq', ''):>{_SEQ_WIDTH}}", "cyan"),
        "  ",
    )
    if not isinstance(payload, dict) or "name" not in payload:
        return line.append(printable(json.dumps(payload, ensure_ascii=False)))
    return line.append(printable(str(payload["name"])), "bold").append("  ").append(price_of(payload), "green")


def _clock(time: str) -> str:
    """Return a moment by the clock on the reader's wall."""
    try:
        return datetime.fromisoformat(time).astimezone().time().isoformat("milliseconds")
    except ValueError:
        return _NO_TIME
