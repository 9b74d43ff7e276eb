"""What of a setting may be shown. Pure."""

import re

MASK = "***"

# To the last @, though none may stand after the first: whoever forgot to escape one has it in the password.
_USER = re.compile(r"//.*@", re.DOTALL)
_PARAMETER = re.compile(r"([?&][^=&]*(?:password|secret|token|credential|properties)[^=&]*=)[^&#]*", re.IGNORECASE)


def masked_url(url: str) -> str:
    """Return a URL without the user, and without parameters that are secret."""
    return _PARAMETER.sub(rf"\1{MASK}", _USER.sub(f"//{MASK}@", url))


def masked(field: str, value: str, *, is_secret: bool) -> str:
    """Return a setting's value fit to be shown: of a secret only what surrounds it, in a URL."""
    if field.endswith("_url"):
        # What is not even a URL may be a password that was put in its place.
        return masked_url(value) if "://" in value or not is_secret else MASK * bool(value)
    return MASK * bool(value) if is_secret else value
