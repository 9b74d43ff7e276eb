"""Our client module, as npm packs it, in Node."""

import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any, NamedTuple, Self

from tests.listening import NodeListening
from tests.processes import ROOT
from tests.tools import require

SOURCES = ROOT / "shared/browser/client"
NODE_MODULES = ROOT / "tests/node_modules"


class Package(NamedTuple):
    """The package as somebody has it who installed it. `project` is the folder of the one who did."""

    project: Path
    files: frozenset[str]

    @classmethod
    def installed(cls, project: Path) -> Self:
        """Pack it, and put it into a project beside the stock client."""
        npm = require("npm", "install npm")
        command = [npm, "pack", "--json", "--offline", "--loglevel=error", "--pack-destination", str(project)]
        packed = subprocess.run(command, cwd=SOURCES, capture_output=True, text=True, check=True)
        [listed] = json.loads(packed.stdout)
        modules = project / "node_modules"
        modules.mkdir()
        with tarfile.open(project / listed["filename"]) as archive:
            archive.extractall(modules, filter="data")
        (modules / "package").rename(modules / listed["name"])
        (modules / "socket.io-client").symlink_to(NODE_MODULES / "socket.io-client")
        return cls(project, frozenset(file["path"] for file in listed["files"]))

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self.project / "node_modules/storecast-client"


class Client(NodeListening):
    """A client that listens by our module.

    Args:
        package: Which holds the module.
        origin: Where it connects to.
        tokens: What the function for the token gives, in this order; see `client.mjs`.
        options: Further options of `connect()`.
    """

    def __init__(self, package: Package, origin: str, tokens: list[Any] | None = None, **options: Any) -> None:
        module = str(package.folder / "client.js")
        arguments = {"module": module, "options": {"origin": origin, **options}, "tokens": tokens}
        super().__init__("client.mjs", ["our client"], arguments)

    @property
    def seqs(self) -> list[int]:
        """The numbers of the events that the application was given."""
        return [line["meta"]["seq"] for line in self.client.of("heard") if line.get("offset")]

    @property
    def gaps(self) -> list[str]:
        """What the application was told to read the products anew for."""
        return [line["reason"] for line in self.client.of("gap")]

    @property
    def states(self) -> list[str]:
        """What the application was told of the connection."""
        return [line["name"] for line in self.client.of("state")]

    def again(self) -> None:
        """Have the event that came last come once more."""
        self._say({"do": "again"})

    def leave(self) -> None:
        """Close the connection, as a page does that is loaded again."""
        self._say({"do": "leave"})

    def enter(self, **options: Any) -> None:
        """Begin anew with nothing but what is kept for the tab, and perhaps with other options."""
        self._say({"do": "enter", "options": options})

    def give(self, *tokens: Any) -> None:
        """Have the function for the token give these from now on."""
        self._say({"do": "give", "tokens": tokens})

    async def call(self, method: str, *args: Any) -> Any:
        """Call a method, and return how that ended."""
        return await self._ask(0, "call", method=method, args=args)
