"""What token is asked for on a command line: the same options for `storecast token` and `python -m shared.identity`."""

import argparse
from collections.abc import Sequence
from typing import NamedTuple

from shared.identity.identity import MESSAGES_SEND, OPERATE, PRODUCTS_READ, PRODUCTS_WRITE

MAX_MINUTES = 365 * 24 * 60


class Wanted(NamedTuple):
    """Whose token, with which scopes, for how long."""

    subject: str
    scopes: Sequence[str]
    minutes: int


def read_options(program: str, arguments: Sequence[str]) -> Wanted:
    """Read a command line; a wrong one, or a call for help, ends the process as argparse does."""
    what = "Make a token for trying things out, signed with STORECAST_JWT_SECRET. It is printed, and kept nowhere."
    example = f"example: {program} --sub me --scope {PRODUCTS_WRITE} --minutes 60"
    parser = argparse.ArgumentParser(program, description=what, epilog=example, allow_abbrev=False)
    known = f"{PRODUCTS_WRITE}, {MESSAGES_SEND}, {OPERATE}, {PRODUCTS_READ}"
    parser.add_argument("--sub", required=True, metavar="NAME", help="whose token it is")
    parser.add_argument(
        "--scope", action="append", default=[], help=f"what it permits: {known}, or one of your own; may be repeated"
    )
    parser.add_argument("--minutes", type=_minutes, default=60, help="how long it is good for (default: %(default)s)")
    options = parser.parse_args(arguments)
    return Wanted(options.sub, options.scope, options.minutes)


def _minutes(text: str) -> int:
    # Not longer than the largest: digits without end take their time to be read.
    if not (
        text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_MINUTES)) and 0 < int(text) <= MAX_MINUTES
    ):
        raise argparse.ArgumentTypeError(f"use a whole number from 1 to {MAX_MINUTES}")
    return int(text)
