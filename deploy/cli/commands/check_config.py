"""`storecast check-config`."""

from typing import Annotated, Literal

import typer

EXAMPLES = """\b
Examples:
  storecast check-config
  storecast check-config api
"""


def check_config(
    service: Annotated[
        Literal["api", "emitter"] | None, typer.Argument(help="Of one service alone.", show_default=False)
    ] = None,
) -> None:
    """Print the settings that the services would have here, where each comes from, and what is wrong with them.

    Secrets are not shown. Nothing is connected.
    """
    from deploy.cli.config.checks import SERVICES
    from deploy.cli.config.report import check_config as run

    run([service] if service else list(SERVICES))
