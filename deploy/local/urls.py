"""URLs of databases."""

import re


def without_password(url: str) -> str:
    """Return a URL fit to be shown."""
    return re.sub(r"//[^@/]*@", "//***@", url)
