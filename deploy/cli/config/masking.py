"""What of a setting may be shown. Pure."""

from deploy.local.urls import MASK, masked_url


def masked(field: str, value: str, *, is_secret: bool) -> str:
    """Return a setting's value fit to be shown: of a secret only what surrounds it, in a URL."""
    if field.endswith("_url"):
        # What is not even a URL may be a password that was put in its place.
        return masked_url(value) if "://" in value or not is_secret else MASK * bool(value)
    return MASK * bool(value) if is_secret else value
