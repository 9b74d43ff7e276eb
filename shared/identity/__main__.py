"""`python -m shared.identity --sub ann --scope products:write`: a token, where the command line is not installed."""

import sys

from shared.errors import StartupError
from shared.identity.command import read_options
from shared.identity.minting import mint
from shared.settings import ServiceSettings


def main() -> None:
    """Print a token; what the operator has to change is one line and exit code 2."""
    wanted = read_options("python -m shared.identity", sys.argv[1:])
    try:
        sys.stdout.write(f"{mint(ServiceSettings.load(), *wanted)}\n")
    except StartupError as error:
        sys.stderr.write(f"storecast token: {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
