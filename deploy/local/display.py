"""What a person sees on the terminal."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.text import Text

from deploy.local.child import Program
from deploy.local.data_dir import DataDir
from deploy.local.gateway import INSTALL_HINT
from deploy.local.readiness import Missing
from deploy.local.system import System
from deploy.local.urls import masked_url

_LABEL_WIDTH = 12


class Display:
    """The start-up as it goes, the addresses when it is done, and what happens to the children from then on.

    Colours and the spinner are for terminals alone; written to a file or a pipe it is plain text.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._spinner = console.status("starting")

    def __enter__(self) -> Self:
        self._spinner.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spinner.stop()

    def started(self, program: Program) -> None:
        """Say that a child was started."""
        self._row(program.name, program.address)

    def waiting(self, missing: Missing) -> None:
        """Say what the start-up waits for."""
        self._spinner.update(Text(f"{missing.child} {missing.reason}", "dim"))

    def accident(self, message: str) -> None:
        """Say what happened to a child."""
        self._line(Text(message, "yellow"))

    def ready(self, system: System, data: DataDir) -> None:
        """Show the addresses and how to stop, then the line that other programs wait for."""
        self._spinner.stop()
        origin = system.front.address
        self._line(Text(""))
        self._row("page", f"{origin}/", "bold")
        self._row("API", f"{origin}/products   (description: {origin}/docs)")
        self._row("sockets", f"{system.sockets_origin}{system.socket_path}")
        self._row("MongoDB", masked_url(system.mongo_url))
        if system.redis_url:
            self._row("Redis", masked_url(system.redis_url))
        self._row("data", str(data.root))
        self._row("children", f"process ids in {data.root / 'run'}, output in {data.root / 'log'}")
        if system.gateway is None:
            self._row("gateway", f"none: page and sockets have two origins; to have one, {INSTALL_HINT}", "yellow")
        self._row("stop", "Ctrl-C")
        self._line(Text(""))
        self._line(Text(f"ready {origin}"))

    def stopping(self) -> None:
        """Say that the children are being stopped."""
        self._line(Text("stopping", "dim"))

    def _row(self, label: str, value: str, style: str = "") -> None:
        self._line(Text.assemble(("  " + label.ljust(_LABEL_WIDTH), "cyan"), (value, style)))

    def _line(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)  # a wrapped address could not be copied
