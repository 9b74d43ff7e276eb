import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local import haproxy
from deploy.local.nginx import INCLUDED, ONE_ORIGIN, UPSTREAMS, render
from tests.tools import missing

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """Return the services of the compose file."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    services: dict[str, Any] = compose["services"]
    return services


class Override(yaml.SafeLoader):
    """Reads Compose's `!override`: the value replaces what it would be merged with."""

    def replacing(self, node: yaml.Node) -> Any:
        """Return the value."""
        if isinstance(node, yaml.MappingNode):
            return self.construct_mapping(node, deep=True)
        assert isinstance(node, yaml.SequenceNode)
        return self.construct_sequence(node, deep=True)


Override.add_constructor("!override", Override.replacing)


@pytest.fixture(scope="module")
def several() -> dict[str, Any]:
    """Return the services of the compose file for several emitters."""
    compose = yaml.load((ROOT / "deploy/compose/haproxy.yml").read_text(), Override)  # noqa: S506 - derived from the safe one
    services: dict[str, Any] = compose["services"]
    assert compose["networks"] == {"cluster": {"internal": True}}
    return services


def test_the_shape_is_the_designs(services: dict[str, Any]) -> None:
    """MongoDB, three replicas of the API, one emitter and the gateway."""
    assert set(services) == {"mongo", "api", "emitter", "gateway"}
    assert services["api"]["deploy"]["replicas"] == 3
    assert "deploy" not in services["emitter"]


def test_only_the_gateway_is_published_and_only_on_this_machine(services: dict[str, Any]) -> None:
    """Neither MongoDB nor the emitter's internal calls can be reached from outside."""
    assert {name: service.get("ports") for name, service in services.items() if "ports" in service} == {
        "gateway": ["${STORECAST_PUBLISH:-127.0.0.1:8080}:8080"]
    }
    assert services["mongo"]["networks"] == ["data"]
    assert services["gateway"]["networks"] == ["services"]


def test_a_missing_secret_stops_compose(services: dict[str, Any]) -> None:
    """There is no default secret; the message says how to make one."""
    secrets = {services[name]["environment"]["STORECAST_EMITTER_SECRET"] for name in ("api", "emitter")}
    [secret] = secrets
    assert secret.startswith("${STORECAST_EMITTER_SECRET:?")
    assert "openssl rand -hex 32" in secret


def test_the_gateways_values_fit_the_template(services: dict[str, Any]) -> None:
    """The nginx image fills in the same template, without our checks; so they are made here."""
    environment = services["gateway"]["environment"]
    assert "server api:8000 resolve" in render(UPSTREAMS, environment)
    assert "listen 8080;" in render(ONE_ORIGIN, environment)
    # The image replaces what the filter lets through: nginx's own variables must not be among it.
    assert environment["NGINX_ENVSUBST_FILTER"] == "^STORECAST_"
    mounted = {ROOT / mount.partition(":")[0] for mount in services["gateway"]["volumes"]}
    assert mounted == {ONE_ORIGIN, UPSTREAMS, INCLUDED}


def test_every_service_has_a_health_check(services: dict[str, Any]) -> None:
    """Compose starts each service when those that it needs are healthy."""
    dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text()
    for service in services.values():
        if "build" in service:
            assert f"FROM service AS {service['build']['target']}\n" in dockerfile
            assert "HEALTHCHECK" in dockerfile
        else:
            assert service["healthcheck"]["test"]


def test_our_own_services_cannot_write_and_have_no_privileges(services: dict[str, Any]) -> None:
    """A hole in a service is not one in the machine."""
    for name in ("api", "emitter", "gateway"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["security_opt"] == ["no-new-privileges:true"]


def test_several_emitters_share_a_redis_that_nobody_else_reaches(several: dict[str, Any]) -> None:
    """Redis refuses what it has no room for, keeps nothing on disk, and is in a network of the emitters alone."""
    redis = several["redis"]
    assert redis["command"][1:] == ["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]
    assert redis["networks"] == ["cluster"]
    assert "ports" not in redis
    assert redis["read_only"] is True
    assert redis["cap_drop"] == ["ALL"]
    assert several["emitter"]["environment"]["STORECAST_REDIS_URL"] == "redis://redis:6379"
    assert several["emitter"]["networks"] == ["services", "cluster"]


def test_an_emitter_has_time_to_drain(several: dict[str, Any]) -> None:
    """Docker kills what has not ended by then."""
    emitter = several["emitter"]
    assert int(emitter["stop_grace_period"].rstrip("s")) > float(emitter["environment"]["STORECAST_DRAIN_SECONDS"])


def test_haproxys_values_fit_its_configuration(several: dict[str, Any], tmp_path: Path) -> None:
    """HAProxy fills in the file by itself; it takes it as it stands, with these values."""
    gateway = several["gateway"]
    [mount] = gateway["volumes"]
    assert (ROOT / mount.partition(":")[0]) == haproxy.TEMPLATE
    assert "server-template emitter- 1-20 emitter:9000 resolvers docker" in haproxy.render(
        {"STORECAST_SOCKETS_LISTEN": "8081", **gateway["environment"]}  # of use for the path "/" alone
    )
    program = haproxy.find() or missing(haproxy.INSTALL_HINT)
    checked = subprocess.run(
        [program, "-c", "-f", haproxy.TEMPLATE],
        env=gateway["environment"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout.strip()) == (0, "Configuration file is valid"), checked.stderr
