from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local.gateway import TEMPLATE, render

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """Return the services of the compose file."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    services: dict[str, Any] = compose["services"]
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
    configuration = render(TEMPLATE.read_text(), environment)
    assert "server api:8000 resolve" in configuration
    # The image replaces what the filter lets through: nginx's own variables must not be among it.
    assert environment["NGINX_ENVSUBST_FILTER"] == "^STORECAST_"
    [mount] = services["gateway"]["volumes"]
    assert (ROOT / mount.partition(":")[0]) == TEMPLATE


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
