"""Origins whose pages may call, as browsers send them in the Origin header (RFC 6454, section 6.2)."""

import re
from typing import Annotated

from pydantic import AfterValidator

_ORIGIN = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def check_origin(origin: str) -> str:
    """Return an origin that can be one; raise ValueError.

    It is compared letter by letter with what a browser sends: what could never match is refused instead of put right.
    """
    if origin == "*":
        # Whoever may send credentials from everywhere is every page that a user ever opens.
        raise ValueError("name each origin: * would let every page in")
    found = _ORIGIN.fullmatch(origin)
    if not found or found["port"] == _DEFAULT_PORTS.get(found["scheme"], ""):
        raise ValueError(
            "write it as browsers send it: scheme://host or scheme://host:port, in lower case, "
            "without a path and without the scheme's own port, like https://shop.example"
        )
    return origin


Origin = Annotated[str, AfterValidator(check_origin)]
