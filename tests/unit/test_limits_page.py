"""What docs/limits.md says is so: each limit has its setting, its default, its metric, and a test that reaches it."""

import ast
import importlib
import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from prometheus_client import REGISTRY

import api_service.metrics
import ws_service.metrics
from api_service.settings import Settings as ApiSettings
from shared.settings import PREFIX, ServiceSettings
from tests.observability import ROOT
from ws_service.settings import Settings as EmitterSettings

PAGE = (ROOT / "docs/limits.md").read_text()
SETTINGS: dict[str, tuple[type[ServiceSettings], ...]] = {
    "Both services: HTTP": (ApiSettings, EmitterSettings),
    "The product API": (ApiSettings,),
    "The emitter": (EmitterSettings,),
}
PROXIES = {
    "nginx": sorted((ROOT / "deploy/nginx/include").glob("*.conf")),
    "HAProxy": [ROOT / "deploy/haproxy/haproxy.cfg"],
    "Traefik": [ROOT / "deploy/traefik/storecast.yml"],
}
COUNTER = "storecast_limited_total"
# Those that another metric counts, and how its tests look at that.
_COUNTED_ELSEWHERE = {"pending": ("storecast_cut_off_total", {"reason": "pending"}, "cut_off()")}


class Limit(NamedTuple):
    """A row of the page."""

    service: str
    name: str
    setting: str
    default: int
    metric: str
    test: str

    def __str__(self) -> str:
        """Return what a row is told apart by."""
        return f"{self.service}: {self.name} ({self.setting})"


def rows(section: str) -> Iterator[list[str]]:
    """Return the cells of a section's table, without its head."""
    [text] = re.findall(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    for line in lines[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def limits() -> Iterator[Limit]:
    for section in SETTINGS:
        for told, setting, default, _, metric, test in rows(section):
            name = told.split(":")[0].strip("`")
            number = int(default.replace(",", ""))
            yield Limit(section, name, setting.strip("`"), number, metric.strip("`"), test.strip("`"))


LIMITS = list(limits())


def source(test: str) -> str:
    """Return what a test is, where there is one of that name."""
    file, _, name = test.partition("::")
    text = (ROOT / "tests/integration" / file).read_text()
    found = [node for node in ast.parse(text).body if isinstance(node, ast.AsyncFunctionDef) and node.name == name]
    return "".join(ast.get_source_segment(text, node) or "" for node in found)


@pytest.mark.parametrize("limit", LIMITS, ids=str)
def test_a_limit_has_the_default_that_is_told(limit: Limit) -> None:
    """Of the setting, or of what is fixed in the code."""
    if limit.setting.startswith(PREFIX):
        field = limit.setting.removeprefix(PREFIX).lower()
        assert {service.model_fields[field].default for service in SETTINGS[limit.service]} == {limit.default}
    else:
        module, _, constant = limit.setting.rpartition(".")
        assert getattr(importlib.import_module(module), constant) == limit.default


@pytest.mark.parametrize("limit", LIMITS, ids=str)
def test_a_limit_is_reached_by_a_test(limit: Limit) -> None:
    """The test is there, and looks at the very metric of that limit."""
    metric, labels, looks = _COUNTED_ELSEWHERE.get(
        limit.name, (COUNTER, {"limit": limit.name}, f'limited("{limit.name}")')
    )
    assert limit.metric == metric
    assert REGISTRY.get_sample_value(metric, labels) is not None, "it is there before it is reached for the first time"
    assert looks in source(limit.test)


def test_every_limit_that_is_counted_is_told() -> None:
    """None is left out of the page."""
    assert api_service.metrics, ws_service.metrics  # both have registered what they count
    [counted] = [family for family in REGISTRY.collect() if family.name == COUNTER.removesuffix("_total")]

    told = {limit.name for limit in LIMITS} - set(_COUNTED_ELSEWHERE)
    assert {sample.labels["limit"] for sample in counted.samples} == told


def test_every_setting_that_bounds_something_is_told() -> None:
    """By its name: what is most, or so often a second."""
    fields = {*ApiSettings.model_fields, *EmitterSettings.model_fields}
    bounds = {field for field in fields if field.startswith("max_") or field.endswith("_per_second")}

    assert {f"{PREFIX}{field.upper()}" for field in bounds} <= {limit.setting for limit in LIMITS}


def test_what_the_proxies_bound_stands_in_their_configuration() -> None:
    """To the letter, for each that is shipped."""
    configured = {name: "".join(file.read_text() for file in files) for name, files in PROXIES.items()}
    table = list(rows("The proxies that are shipped"))

    assert len(table) > 5
    for _, *cells in table:
        for proxy, cell in zip(PROXIES, cells, strict=True):
            assert all(quoted in configured[proxy] for quoted in re.findall(r"`([^`]+)`", cell)), (proxy, cell)
