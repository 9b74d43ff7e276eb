"""`python -m ws_service`: one emitter."""

import shared.serving.early_stop  # noqa: F401  # before the imports that take long

# isort: split

import sys

from shared.errors import StartupError
from shared.serving import garbage
from shared.serving.listener import listen
from ws_service.settings import Settings


def main() -> None:
    """Run until SIGINT or SIGTERM. A start-up problem is one line and exit code 2."""
    garbage.look_for_none()
    try:
        settings = Settings.load()
        listener = listen(settings)
        # Imported while the port is open already: it takes a second, in which clients that come back wait in the
        # backlog. Refused, they would go into another round of their back-off.
        from ws_service.process import run  # noqa: PLC0415  # see above

        run(settings, listener)
    except StartupError as error:
        sys.stderr.write(f"storecast emitter: {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
