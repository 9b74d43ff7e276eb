"""`storecast check-config`: what a person reads."""

import re
from collections.abc import Iterator, Mapping, Sequence

from rich.text import Text

from deploy.cli.config.checks import SERVICES
from deploy.cli.config.effective import Effective, effective, variable
from deploy.cli.config.settings import given
from deploy.cli.errors import Misconfigured
from deploy.cli.options import TOKEN_VARIABLE, URL_VARIABLE
from deploy.cli.terminal import console, printable, show

# Longer ones push what stands behind them to the right.
_WIDEST = 44


def check_config(names: Sequence[str]) -> None:
    """Print the settings of services; raise Misconfigured, which says what is wrong with them."""
    found = given()
    target = console()
    wrong = []
    for name in names:
        service = effective(SERVICES[name], found)
        for line in _lines(name, service):
            show(target, line)
        wrong += [f"{name}: {each}" for each in service.wrong]
    for unknown in sorted(found.keys() - _known()):
        show(target, Text(f"{unknown} is set, and no setting of the services", "yellow"))
    if wrong:
        raise Misconfigured(*wrong)


def _lines(name: str, service: Effective) -> Iterator[Text]:
    yield Text(name, "bold")
    names = max(len(setting.variable) for setting in service.settings)
    values = min(max(len(setting.value) for setting in service.settings), _WIDEST)
    for setting in service.settings:
        is_wrong = any(re.search(rf"{setting.variable}\b", each.partition(": ")[0]) for each in service.wrong)
        yield Text.assemble(
            (f"  {setting.variable:<{names}}  ", "bold red" if is_wrong else "cyan"),
            f"{printable(setting.value):<{values}}  ",
            (printable(setting.source), "dim"),
        )


def _known() -> set[str]:
    fields: list[Mapping[str, object]] = [service.settings.model_fields for service in SERVICES.values()]
    return {variable(field) for each in fields for field in each} | {URL_VARIABLE, TOKEN_VARIABLE}
