from typing import Any

import pytest

from deploy.cli.product import product_lines
from deploy.cli.tail.line import event_line
from deploy.cli.terminal import console, show

PRODUCT = {
    "id": "5c1f",
    "name": "Moka pot",
    "description": "For\nthree cups.",
    "price": "24.90",
    "currency": "EUR",
    "category": "kitchen",
    "tags": ["coffee", "steel"],
    "stock": 0,
    "created_at": "2026-11-21T10:00:00.123Z",
}


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


def message(event: str, payload: Any, **meta: Any) -> dict[str, Any]:
    return {"event": event, "payload": payload, "meta": meta}


def test_an_event_is_one_line() -> None:
    """When, what, its number, the product's name and price."""
    line = event_line(message("new_product", PRODUCT, seq=17, time="2026-11-21T10:00:00.123Z")).plain
    [clock, event, seq, *rest] = line.split()
    assert clock.endswith("00.123")
    assert (event, seq, " ".join(rest)) == ("new_product", "17", "Moka pot 24.90 EUR")


def test_whatever_comes_is_a_line() -> None:
    """A message has no number and no time, and any payload; so has a product that another program wrote."""
    assert (
        event_line(message("chat", {"text": "hé\n"})).plain == '--:--:--.---  chat                    {"text": "hé\\n"}'
    )
    assert event_line(message("new_product", {"name": 3}, seq=1, time="yesterday")).plain.split()[-1] == "3"


@pytest.mark.parametrize("name", ["a\x1b]0;owned\x07b", "a\nb", "a\x9b31mb", "a\u202eb", "a\ud800b"])
def test_a_terminal_obeys_nobodys_product(name: str) -> None:
    """Control sequences in what another program stored are neither obeyed nor do they break the line."""
    told = [event_line(message(name, {**PRODUCT, "name": name, "price": name}, seq=1, time="")).plain]
    told += [line.plain for line in product_lines({**PRODUCT, "name": name, "tags": [name]})]
    assert "".join(told).isprintable()
    assert "a\N{REPLACEMENT CHARACTER}" in told[0]


def test_a_product_is_told_with_all_that_it_has() -> None:
    """What it lacks is not mentioned; 0 in stock is nothing that is lacking."""
    told = "\n".join(line.plain for line in product_lines(PRODUCT))
    assert told == (
        "Moka pot  24.90 EUR\n  id           5c1f\n  category     kitchen\n  tags         coffee, steel\n"
        "  stock        0\n  description  For three cups.\n  created      2026-11-21T10:00:00.123Z"
    )
    assert "stock" not in "".join(line.plain for line in product_lines({**PRODUCT, "stock": None}))


@pytest.mark.parametrize(("no_color", "is_plain"), [("", False), ("1", True)])
def test_colours_are_for_who_wants_them(
    no_color: str, *, is_plain: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal, unless NO_COLOR is set: then there is no bold either."""
    for name, value in {"TERM": "xterm", "FORCE_COLOR": "1", "NO_COLOR": no_color}.items():
        monkeypatch.setenv(name, value)
    show(console(), event_line(message("new_product", PRODUCT, seq=17, time="")))
    assert ("\x1b" not in capsys.readouterr().out) == is_plain
