"""Every part of the benchmark in its shortest form: that it runs is proved here, its figures are for `make bench`."""

import sys

import pytest
import typer
from typer.testing import CliRunner

from tests.benchmarks import __main__ as command
from tests.benchmarks import capacity, cluster, connections, fanout, idle, servers, system
from tests.benchmarks.figures import Figures
from tests.benchmarks.run import QUICK, Run
from tests.mongod import Mongod

SHORTEST = QUICK._replace(
    few=2, many=3, most=4, seconds=0, settle_s=0, idle_s=0.3, idle_ping_interval_ms=200, system_s=0.5
)


def run(*names: str) -> Run:
    return Run(list(names), SHORTEST, Figures(), tell=lambda _: None)


async def test_fan_out_is_measured_at_both_sizes_and_in_bursts() -> None:
    """There is a figure for each workload."""
    shortest = run(servers.BARE)
    await fanout.measure(shortest)

    tables = shortest.figures.tables()
    assert list(tables) == [
        "3 clients, one event a POST",
        "3 clients, one message a POST",
        "2 clients, one event a POST",
        "2 clients, one message a POST",
        "2 clients, 10 events a POST",
        "2 clients, 100 events a POST",
    ]
    for measures in tables.values():
        for measure in measures:
            assert (spread := shortest.figures.spread(measure, servers.BARE))
            assert spread.median > 0


async def test_one_of_many_is_measured_beside_one_alone() -> None:
    """There is a figure of both at each size, and what Redis used."""
    shortest = run(servers.STORECAST)
    await cluster.measure(shortest)

    for measures in shortest.figures.tables().values():
        assert shortest.figures.servers(measures) == [servers.STORECAST, cluster.CLUSTERED]
        assert measures[-1].name.startswith("Redis")


async def test_connections_idle_clients_and_capacity_are_measured() -> None:
    """There is a figure of each, and none of a server that has none."""
    shortest = run(servers.NODE, servers.BARE)
    await connections.measure(shortest)
    await idle.measure(shortest)
    await capacity.measure(shortest)

    connected, at_rest, full = shortest.figures.tables().values()
    assert shortest.figures.servers(connected) == [servers.NODE, servers.BARE]
    assert shortest.figures.servers(at_rest) == shortest.figures.servers(full) == [servers.NODE]


@pytest.mark.parametrize("name", system.DESIGNS)
async def test_each_create_of_each_design_is_heard_by_every_subscriber(name: str, mongod: Mongod) -> None:
    """Neither design is compared by work that it does not do; CPU is that of every part."""
    async with (
        system.running(name, system.DESIGNS[name], mongod) as design,
        system.Creations.on(design) as creations,
    ):
        before = design.used()
        most = await creations.create(0.5)
        paced = await creations.create(0.5, rate=20)
        used = design.used().since(before)

    assert most.creates > 1
    assert paced.creates == 10
    assert 0 < paced.heard_p50_s <= paced.heard_p99_s
    assert min(used) > 0


def test_an_unknown_part_is_refused() -> None:
    """The message names what there is."""
    app = typer.Typer()
    app.command()(command.main)
    result = CliRunner().invoke(app, ["--only", "fanout,speed"])

    assert result.exit_code == 2
    assert "there is no part speed" in " ".join(result.output.split())


def test_the_command_prints_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """One command measures and prints."""
    monkeypatch.setattr(command, "QUICK", SHORTEST)
    monkeypatch.setattr(sys, "argv", ["bench"])
    app = typer.Typer()
    app.command()(command.main)
    result = CliRunner().invoke(app, ["--quick", "--only", "connections", "--against", "bare"])

    assert result.exit_code == 0, result.output
    assert "3 connections" in result.output
    assert "memory for each connection" in " ".join(result.output.split())


def test_too_few_files_are_reported_before_anything_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the limit and the fix."""
    monkeypatch.setattr(command, "QUICK", SHORTEST._replace(most=10**9))
    app = typer.Typer()
    app.command()(command.main)
    result = CliRunner().invoke(app, ["--quick", "--only", "connections"])

    assert result.exit_code == 1
    assert "ulimit -Hn" in str(result.exception) + result.output
