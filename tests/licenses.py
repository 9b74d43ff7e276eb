"""The licences of what is installed with the services, as each package declares its own."""

import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from tests.processes import ROOT

LOCK = ROOT / "requirements.lock"
_PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==", re.MULTILINE)


def locked(lock: Path = LOCK) -> set[str]:
    """Return the names of what a lock installs, on whatever machine."""
    return set(_PINNED.findall(lock.read_text()))


def declared(package: str) -> str | None:
    """Return the licence of a package (PEP 639; older ones say it in other fields), or None if it is of no use here."""
    try:
        told = metadata(package).json  # PEP 566's form, in which what may come once is a string
    except PackageNotFoundError:
        return None
    if expression := told.get("license_expression"):
        return str(expression)
    classifiers = [each for each in told.get("classifier", []) if each.startswith("License ::")]
    # What stands in `License` may be the whole text.
    [line, *_] = [*str(told.get("license", "")).splitlines(), *(each.rpartition(" :: ")[2] for each in classifiers)]
    return line
