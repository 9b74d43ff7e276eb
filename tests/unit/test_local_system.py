import dataclasses
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from deploy.local.data_dir import DataDir
from deploy.local.gateway import INSTALL_HINT, Choice
from deploy.local.ports import HOST, free_ports
from deploy.local.settings import LocalSettings, inherited_environment
from deploy.local.system import Options, System, plan
from shared.errors import StartupError
from tests.system import require_gateway
from tests.tools import require


def planned(folder: Path, gateway: Choice, *, mongo_url: str | None = None, **more: Any) -> System:
    """Return the plan for three replicas with a data directory of their own; `more` are further options."""
    data = DataDir(folder)
    data.make()
    options = Options(free_ports(1)[0], 3, mongo_url, folder, gateway)
    return plan(dataclasses.replace(options, **more), LocalSettings(), data)


def test_one_origin_behind_the_gateway(tmp_path: Path) -> None:
    """With nginx the page, the API and the sockets have the port that was asked for."""
    require("nginx", INSTALL_HINT)
    system = planned(tmp_path, "nginx")
    assert [program.name for program in system.mongods] == ["mongod"]
    assert [program.name for program in system.emitters] == ["emitter-1"]
    assert [program.name for program in system.replicas] == ["api-1", "api-2", "api-3"]
    assert system.front is system.sockets is system.gateway
    assert system.gateways == [system.gateway]
    assert {replica.environment["STORECAST_PUBLIC_WS_URL"] for replica in system.replicas} == {""}
    assert json.loads(system.emitters[0].environment["STORECAST_ALLOWED_ORIGINS"]) == []


def test_two_origins_without_a_gateway(tmp_path: Path) -> None:
    """The first replica takes the port, the page is told where the sockets are, and they know the pages' origins."""
    [port] = free_ports(1)
    system = planned(tmp_path, "none", port=port)
    emitter = system.emitters[0]
    assert system.front is system.replicas[0]
    assert system.front.address == f"http://127.0.0.1:{port}"
    assert system.sockets is emitter
    assert system.gateways == []
    assert {replica.environment["STORECAST_PUBLIC_WS_URL"] for replica in system.replicas} == {emitter.address}
    origins = json.loads(emitter.environment["STORECAST_ALLOWED_ORIGINS"])
    assert {f"http://127.0.0.1:{port}", f"http://localhost:{port}"} < set(origins)
    assert len(origins) == 6


def test_every_program_has_a_port_of_its_own(tmp_path: Path) -> None:
    """No two programs get the same address, whatever was chosen before."""
    system = planned(tmp_path, "none")
    addresses = [program.address for program in (*system.mongods, *system.emitters, *system.replicas)]
    assert len(set(addresses)) == 5


def test_a_database_that_is_given_is_used(tmp_path: Path) -> None:
    """With a MongoDB of the user's no other is started."""
    url = "mongodb://db.example/storecast?replicaSet=rs0"
    system = planned(tmp_path, "none", mongo_url=url)
    assert system.mongods == []
    assert system.mongo_url == url
    assert system.replicas[0].environment["STORECAST_MONGO_URL"] == url


def test_a_replica_set_of_three(tmp_path: Path) -> None:
    """Each member has a name, a folder and a port of its own, which it keeps; the URL names them all."""
    first, second = (planned(tmp_path, "none", mongo_members=3) for _ in range(2))
    assert [program.name for program in first.mongods] == ["mongod-1", "mongod-2", "mongod-3"]
    assert [program.command for program in first.mongods] == [program.command for program in second.mongods]
    addresses = [program.address for program in first.mongods]
    assert len(set(addresses)) == 3
    assert first.mongo_url == f"mongodb://{','.join(addresses)}/storecast?replicaSet=rs0"
    for program in first.mongods:
        assert str(tmp_path / program.name) in program.command
        assert (tmp_path / f"{program.name}.port").read_text().strip() in program.command


@pytest.mark.parametrize(
    ("kept", "members", "message"),
    [
        (["mongod"], 3, "of a MongoDB of 1 member; use --mongo-members 1, or name another folder with --data-dir"),
        (["mongod-1", "mongod-3"], 1, "of a MongoDB of 3 members; use --mongo-members 3, or name another folder"),
    ],
)
def test_the_members_of_a_data_directory_stay_the_same(
    tmp_path: Path, kept: list[str], members: int, message: str
) -> None:
    """Data of one member are never opened as a set of three, nor the other way round: one line says what to do."""
    for name in kept:
        (tmp_path / name).mkdir()
        (tmp_path / name / "WiredTiger").touch()
    with pytest.raises(StartupError, match=f"^{tmp_path} holds the data {message}"):
        planned(tmp_path, "none", mongo_members=members)
    planned(tmp_path, "none", mongo_members=4 - members)


def test_members_of_a_database_that_is_given_are_not_ours_to_choose(tmp_path: Path) -> None:
    """Two options that contradict each other are one clear line."""
    with pytest.raises(StartupError, match=r"^--mongo-members is for an own MongoDB; .*--mongo-url$"):
        planned(tmp_path, "none", mongo_url="mongodb://db/storecast", mongo_members=3)


def test_a_port_in_use_is_refused(tmp_path: Path) -> None:
    """Whoever has the port keeps it; nothing was started."""
    with socket.create_server((HOST, 0)) as server, pytest.raises(StartupError, match="is in use"):
        planned(tmp_path, "none", port=server.getsockname()[1])


def test_the_secret_is_in_no_command_line_and_in_no_file(tmp_path: Path) -> None:
    """It is in the services' environment alone, where only their own user can read it."""
    require("nginx", INSTALL_HINT)
    system = planned(tmp_path, "nginx")
    secret = system.emitters[0].environment["STORECAST_EMITTER_SECRET"]
    programs = [*system.mongods, *system.emitters, *system.replicas, *system.gateways]
    assert not [program for program in programs if secret in " ".join(program.command)]
    assert [program.name for program in programs if secret in program.environment.values()] == [
        "emitter-1",
        "api-1",
        "api-2",
        "api-3",
    ]
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and secret in file.read_text()]


def test_each_run_has_a_secret_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless one is given in the environment."""
    monkeypatch.delenv("STORECAST_EMITTER_SECRET", raising=False)
    assert LocalSettings.load().emitter_secret != LocalSettings.load().emitter_secret
    monkeypatch.setenv("STORECAST_EMITTER_SECRET", "given by the operator")
    assert LocalSettings.load().emitter_secret.get_secret_value() == "given by the operator"
    assert "STORECAST_EMITTER_SECRET" not in inherited_environment()


def test_whose_command_line_it_is_concerns_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token of `storecast create` and the like is for a Storecast somewhere else."""
    monkeypatch.setenv("STORECAST_TOKEN", "a token")
    assert "STORECAST_TOKEN" not in inherited_environment()


def test_a_wrong_setting_is_refused_before_anything_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the variable."""
    monkeypatch.setenv("STORECAST_EMITTER_SECRET", "short")
    with pytest.raises(StartupError, match=r"^STORECAST_EMITTER_SECRET: .*at least 16 characters$"):
        LocalSettings.load()


def test_a_single_emitter_needs_no_redis(tmp_path: Path) -> None:
    """None is started, whatever the environment of the user says."""
    system = planned(tmp_path, "none")
    assert (system.redis, system.redis_url, system.redises) == (None, "", [])
    for program in (*system.emitters, *system.replicas):
        assert program.environment["STORECAST_REDIS_URL"] == ""


@pytest.mark.parametrize("gateway", ["none", "traefik"])
def test_several_emitters_share_a_redis(tmp_path: Path, gateway: Choice) -> None:
    """Each emitter knows the Redis, its own address and who may talk; each replica knows it and all the emitters."""
    if gateway != "none":
        require_gateway(gateway)
    system = planned(tmp_path, gateway, emitters=3)
    assert system.redis is not None
    assert str(tmp_path / "redis") in system.redis.command
    assert [program.name for program in system.emitters] == ["emitter-1", "emitter-2", "emitter-3"]
    urls = [emitter.address for emitter in system.emitters]
    for emitter in system.emitters:
        assert emitter.environment["STORECAST_REDIS_URL"] == f"redis://{system.redis.address}"
        assert emitter.environment["STORECAST_PUBLIC_WS_URL"] == emitter.address
        assert json.loads(emitter.environment["STORECAST_CLIENT_TOPICS"]) == ["chat:*"]
        assert f"http://127.0.0.1:{system.front.address[-5:]}" in json.loads(
            emitter.environment["STORECAST_ALLOWED_ORIGINS"]
        )
    for replica in system.replicas:
        assert replica.environment["STORECAST_REDIS_URL"] == f"redis://{system.redis.address}"
        assert replica.environment["STORECAST_EMITTER_URL"] == ",".join(urls)
        assert replica.environment["STORECAST_PUBLIC_WS_URL"] == (urls[0] if gateway == "none" else "")


def test_an_emitter_has_time_to_drain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stops it waits longer than its drain takes; one that is alone does not drain."""
    monkeypatch.setenv("STORECAST_DRAIN_SECONDS", "60")
    assert planned(tmp_path, "none", emitters=2).emitters[0].stop_seconds > 60
    assert planned(tmp_path, "none").emitters[0].stop_seconds < 60


def test_a_redis_that_is_given_is_used(tmp_path: Path) -> None:
    """With a Redis of the user's no other is started; even a single emitter shares it."""
    url = "redis://:hunter2@redis.example:6380/1"
    system = planned(tmp_path, "none", redis_url=url)
    assert system.redis is None
    for program in (*system.emitters, *system.replicas):
        assert program.environment["STORECAST_REDIS_URL"] == url


def test_a_wrong_url_of_a_redis_is_refused(tmp_path: Path) -> None:
    """One line, before anything is started."""
    with pytest.raises(StartupError, match=r"^--redis-url is no URL of a Redis"):
        planned(tmp_path, "none", redis_url="http://redis")


def test_only_the_services_can_check_tokens(tmp_path: Path) -> None:
    """The secret that tokens are signed with is in no other child."""
    system = planned(tmp_path, "none", emitters=2)
    secret = system.emitters[0].environment["STORECAST_JWT_SECRET"]
    assert len(secret) >= 32
    assert system.emitters[1].environment["STORECAST_JWT_SECRET"] == secret
    assert all(replica.environment["STORECAST_JWT_SECRET"] == secret for replica in system.replicas)
    others = [*system.mongods, *system.redises, *system.gateways]
    assert not [program for program in others if secret in program.environment.values()]
    assert "STORECAST_JWT_SECRET" not in inherited_environment()
