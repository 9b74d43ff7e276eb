"""How long a child that died stays down before it is started again. Pure."""

FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 5.0
STABLE_AFTER_SECONDS = 10.0

_LONGEST_ROW = 16  # far beyond the longest delay, far below what overflows a float


def quick_deaths(before: int, uptime_seconds: float) -> int:
    """Count the deaths in a row, this one included; a child that had stayed up begins a new row."""
    return 1 if uptime_seconds >= STABLE_AFTER_SECONDS else min(before + 1, _LONGEST_ROW)


def delay_seconds(deaths: int) -> float:
    """Return the pause after the given number of deaths in a row: 0.1 s, doubling, 5 s at most."""
    return min(FIRST_DELAY_SECONDS * 2.0 ** (deaths - 1), LONGEST_DELAY_SECONDS)
