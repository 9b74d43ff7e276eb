"""What both services serve to browsers: the client module, and beside it the stock client that it imports."""

from collections.abc import Mapping
from pathlib import Path

_HERE = Path(__file__).parent

CLIENT: Mapping[str, Path] = {
    "client.js": _HERE / "client/client.js",
    # In the npm package that name stands for the stock client's package, of which no browser knows.
    "socket.io.js": _HERE / "vendor/socket.io.esm.min.js",
}
"""Where the files are, by the names that they have in one folder."""
