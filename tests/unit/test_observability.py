import itertools
import re
import subprocess
import tomllib
from collections import Counter
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

import api_service.metrics
import ws_service.metrics
from shared.version import VERSION
from tests.documents.markdown import anchors
from tests.observability import FOLDER, ROOT, RUNBOOK, alerts, board, expressions, selectors
from tests.tools import require

_ALERTS = {rule["alert"]: rule for rule in alerts()}


@pytest.mark.parametrize("name", _ALERTS)
def test_an_alert_is_seen_to_be_raised(name: str) -> None:
    """A rule that is never raised looks as if all were well: each has a case of its own in which it is."""
    groups = yaml.safe_load((FOLDER / "alerts.test.yml").read_text())["tests"]
    raised = {case["alertname"] for group in groups for case in group["alert_rule_test"] if case.get("exp_alerts")}

    assert name in raised


@pytest.mark.parametrize("name", _ALERTS)
def test_an_alert_says_what_is_wrong_and_where_to_read_on(name: str) -> None:
    """Each has a summary, a description, a severity, and a section of its own in the page for operators."""
    rule = _ALERTS[name]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert all(len(rule["annotations"][what]) > 10 for what in ("summary", "description"))
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert (ROOT / page, anchor) == (RUNBOOK, name.lower())
    assert anchor in anchors(RUNBOOK)


def test_every_section_about_an_alert_is_about_one_that_is_there() -> None:
    """The page does not describe what was renamed or removed."""
    described = {anchor for anchor in anchors(RUNBOOK) if anchor.startswith("storecast")}

    assert described == {name.lower() for name in _ALERTS}


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_is_promql_about_our_own_processes(expression: str) -> None:
    """Each parses, and what is not ours is bound to our jobs, or divided by what is."""
    named = selectors(expression)

    assert named
    assert any(each.metric.startswith("storecast_") or "job" in each.labels for each in named)


def test_the_board_can_be_given_any_data_source() -> None:
    """No panel is bound to one Grafana's own: the data source is a variable. Each says what it shows."""
    shown = board()
    panels = [panel for panel in shown["panels"] if panel["type"] != "row"]

    assert [each["type"] for each in shown["templating"]["list"] if each["name"] == "datasource"] == ["datasource"]
    used = [each["datasource"]["uid"] for panel in panels for each in (panel, *panel["targets"])]
    assert set(used) == {"${datasource}"}
    assert max(Counter(panel["id"] for panel in shown["panels"]).values()) == 1
    assert all(panel["title"] and panel["description"] for panel in panels)


def test_each_row_of_the_board_is_explained_to_operators() -> None:
    """The page says of each what to read from it, in the board's order, and of none that is not there."""
    [section] = re.findall(r"^## Read the board\n(.*?)^## ", RUNBOOK.read_text(), re.DOTALL | re.MULTILINE)

    rows = [panel["title"] for panel in board()["panels"] if panel["type"] == "row"]
    assert re.findall(r"^- \*\*(.+?)\*\*", section, re.MULTILINE) == rows


def test_no_panel_lies_upon_another() -> None:
    """All are within the board's 24 columns and have their room."""
    places = [panel["gridPos"] for panel in board()["panels"]]

    assert all(place["x"] >= 0 and place["x"] + place["w"] <= 24 for place in places)
    assert not [pair for pair in itertools.combinations(places, 2) if _overlap(*pair)]


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size] for at, size in (("x", "w"), ("y", "h"))
    )


def test_metrics_are_named_as_is_the_custom() -> None:
    """Ours have one prefix, a help text and a base unit; counters end with _total, and nothing else does."""
    assert api_service.metrics, ws_service.metrics  # both have registered what they measure
    ours = [family for family in REGISTRY.collect() if family.name.startswith("storecast_")]

    assert len(ours) > 30
    for family in ours:
        assert len(family.documentation) > 10, family.name
        assert not family.name.endswith(("_ms", "_milliseconds", "_kb", "_total")), family.name
        if family.type == "histogram":
            assert family.name.endswith(("_seconds", "_bytes")), family.name


def test_a_series_is_there_before_it_is_first_increased() -> None:
    """`increase()` does not see the step from nothing to one: a first resync would raise no alert."""
    wanted = {"event": "resync"}

    assert REGISTRY.get_sample_value("storecast_events_numbered_total", wanted) is not None
    for reason in ("behind", "pending"):
        assert REGISTRY.get_sample_value("storecast_cut_off_total", {"reason": reason}) is not None


def test_the_version_that_is_told_is_the_packages() -> None:
    """Images hold no package metadata, so that it stands in the code, too."""
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION


def test_prometheus_loads_the_rules_and_looks_at_both_services() -> None:
    """The configuration names the rules, and the jobs that the alerts rely on."""
    configuration: dict[str, Any] = yaml.safe_load((FOLDER / "prometheus.yml").read_text())

    assert configuration["rule_files"] == ["alerts.yml"]
    assert [each["job_name"] for each in configuration["scrape_configs"]] == ["storecast-api", "storecast-emitter"]


@pytest.mark.parametrize(
    "command", [["check", "config", "prometheus.yml"], ["test", "rules", "alerts.test.yml"]], ids=["check", "test"]
)
def test_prometheus_own_tool_finds_nothing_wrong(command: list[str]) -> None:
    """The configuration and the rules are what Prometheus takes, and alerts are raised when they ought to be."""
    promtool = require("promtool", "install the Debian package prometheus")
    told = subprocess.run([promtool, *command], cwd=FOLDER, capture_output=True, text=True, check=False)

    assert told.returncode == 0, told.stdout + told.stderr
