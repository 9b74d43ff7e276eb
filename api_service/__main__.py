"""`python -m api_service`: one replica of the product API."""

import shared.serving.early_stop  # noqa: F401  # before the imports that take long

# isort: split

import sys

from api_service.settings import Settings
from shared.errors import StartupError
from shared.serving import garbage


def main() -> None:
    """Run until SIGINT or SIGTERM. A start-up problem is one line and exit code 2."""
    garbage.look_for_none()
    try:
        settings = Settings.load()
        # A library of another version than was read is found by importing what reaches into it.
        from api_service.process import run  # noqa: PLC0415  # see above

        run(settings)
    except StartupError as error:
        sys.stderr.write(f"storecast api: {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
