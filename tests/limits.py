"""What the limits have refused or ended, as the services count it."""

from shared import metrics


def limited(limit: str) -> float:
    """Return how often a limit was reached in this process."""
    return float(metrics.limited.labels(limit)._value.get())  # noqa: SLF001  # the library shows it by text alone
