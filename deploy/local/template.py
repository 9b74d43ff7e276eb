"""Fills in the configuration templates, with values that cannot write configuration of their own."""

import re
from collections.abc import Mapping

from shared.errors import StartupError

LISTEN = re.compile(r"([0-9.]+:)?[0-9]{1,5}")
SOCKET_PATH = re.compile(r"/|(/[A-Za-z0-9_-]+)+")

Forms = Mapping[str, re.Pattern[str]]


def render(template: str, variable: re.Pattern[str], forms: Forms, values: Mapping[str, str]) -> str:
    """Put the values in place of the variables; the first group of `variable` is a variable's name.

    Raises:
        StartupError: a variable has no value, or one that is not of its form. The message names the variable.

    """
    return variable.sub(lambda found: check(found[1], forms[found[1]], values.get(found[1])), template)


def check(name: str, form: re.Pattern[str], value: str | None) -> str:
    """Return the value of a variable if it is of its form; raise StartupError that names the variable."""
    if value is None or not form.fullmatch(value):
        raise StartupError(f"{name} has a value that cannot stand in the gateway's configuration: {value!r}")
    return value
