"""URLs of databases, fit to be shown. Pure."""

import re

MASK = "***"

# To the last @, though none may stand after the first: whoever forgot to escape one has it in the password.
_USER = re.compile(r"//.*@", re.DOTALL)
_PARAMETER = re.compile(r"([?&][^=&]*(?:password|secret|token|credential|properties)[^=&]*=)[^&#]*", re.IGNORECASE)


def masked_url(url: str) -> str:
    """Return a URL without the user, and without parameters that are secret."""
    return _PARAMETER.sub(rf"\1{MASK}", _USER.sub(f"//{MASK}@", url))
