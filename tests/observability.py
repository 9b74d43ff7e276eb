"""The board and the alerts that are shipped, as tests look at them."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import promql_parser
import yaml

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "deploy/observability"
RUNBOOK = ROOT / "docs/operations.md"

# What Grafana puts in.
_VARIABLES = {"$__rate_interval": "5m", "$instance": ".*"}


class Selector(NamedTuple):
    """A metric that an expression names, and the labels that it demands of it: None for a value that is a pattern."""

    metric: str
    labels: dict[str, str | None]


def alerts() -> list[dict[str, Any]]:
    """Return the alert rules."""
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def board() -> dict[str, Any]:
    """Return the Grafana board."""
    return dict(json.loads((FOLDER / "grafana/board.json").read_text()))


def queries() -> list[str]:
    """Return what the board asks Prometheus, with Grafana's variables filled in."""
    found = [target["expr"] for panel in board()["panels"] for target in panel.get("targets", ())]
    for variable, value in _VARIABLES.items():
        found = [expression.replace(variable, value) for expression in found]
    return found


def expressions() -> list[str]:
    """Return every expression of the board and of the alerts."""
    return [*queries(), *(str(rule["expr"]) for rule in alerts())]


def selectors(expression: str) -> list[Selector]:
    """Return what an expression names; raise ValueError where it is no PromQL."""
    found: list[Selector] = []

    def visit(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.MatrixSelector):
            node = node.vector_selector
        if isinstance(node, promql_parser.VectorSelector):
            equal = promql_parser.MatchOp.Equal
            labels = {each.name: each.value if each.op == equal else None for each in node.matchers.matchers}
            found.append(Selector(str(node.name), labels))

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found
