"""The stack files for Swarm, as Docker's own client reads them."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.local import haproxy
from shared.settings import PREFIX
from tests.compose.variants import NEEDED, STACKS, Config, compose, config, seconds, stack, stack_config
from tests.loading import load
from tests.processes import ROOT
from tests.tools import missing
from tests.unit.test_compose import INTERNAL_CALL_S, SETTINGS

DOCUMENT = ROOT / "docs" / "compose.md"
# What Docker reads in a stack file, and then takes no notice of, or refuses.
OF_NO_USE = {
    *("build", "cgroup_parent", "container_name", "depends_on", "devices", "domainname", "expose", "external_links"),
    *(
        "extends",
        "ipc",
        "links",
        "mac_address",
        "network_mode",
        "pid",
        "profiles",
        "restart",
        "security_opt",
        "shm_size",
    ),
    *("userns_mode",),
}

STACK_SECRETS = ["storecast_emitter_secret", "storecast_jwt_secret"]

every_stack = pytest.mark.parametrize("name", STACKS)


def files(name: str) -> list[str]:
    """Return the files of a stack."""
    return [f"deploy/swarm/{file}.yml" for file in STACKS[name]]


def test_no_file_is_left_out() -> None:
    """Each file there is stands in some stack, so that it is tested."""
    there = {str(path.relative_to(ROOT)) for path in ROOT.glob("deploy/swarm/*")}
    assert {file for name in STACKS for file in files(name)} == there


@every_stack
def test_it_is_valid(name: str) -> None:
    """Docker takes it as a stack, and Compose takes it too."""
    told = stack(files(name))
    assert (told.returncode, told.stderr) == (0, "")
    told = compose(files(name), "-q")
    assert (told.returncode, told.stderr) == (0, "")


def test_a_fault_is_found(tmp_path: Path) -> None:
    """What is not for stacks, or misspelt, is told: the validation is a real one."""
    for wrong in ("services: {api: {depends_on: {mongo: {condition: service_healthy}}}}", "name: storecast"):
        (tmp_path / "wrong.yml").write_text(wrong)
        assert stack([*files("one emitter"), str(tmp_path / "wrong.yml")]).returncode != 0


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("one emitter", "STORECAST_TAG"),
        *(
            ("with TLS", variable)
            for variable in ("STORECAST_ORIGIN", "STORECAST_TLS_CERTIFICATE", "STORECAST_TLS_KEY")
        ),
        ("while the emitter secret is replaced", "STORECAST_EMITTER_SECRET_PREVIOUS_NAME"),
        ("while the secret of the tokens is replaced", "STORECAST_JWT_SECRET_PREVIOUS_NAME"),
    ],
)
def test_what_is_missing_is_said(name: str, variable: str) -> None:
    """With what to set it to."""
    given = {key: value for key, value in NEEDED.items() if key != variable}
    told = stack(files(name), given=given)
    assert told.returncode != 0
    assert f"required variable {variable} is missing a value: set it to " in told.stderr


@every_stack
def test_nothing_is_said_that_a_stack_does_not_heed(name: str) -> None:
    """Whoever reads it may rely on it; images have names, because nodes do not build."""
    for service, described in stack_config(name)["services"].items():
        assert not OF_NO_USE & described.keys(), service
        assert re.fullmatch(r"[a-z0-9./-]+:[0-9][a-z0-9.-]*", described["image"]), service


@every_stack
def test_secrets_are_dockers(name: str) -> None:
    """None is in a file or in a variable; each of ours has the name by which the services look for it."""
    read = stack_config(name)
    assert all(secret["external"] is True for secret in read["secrets"].values())
    for service, described in read["services"].items():
        assert not re.search(r"SECRET|PASSWORD|TOKEN", " ".join(described.get("environment", {}))), service
    settings = {f"{PREFIX}{field}".lower() for each in SETTINGS.values() for field in each.model_fields}
    used = {service: {each["source"] for each in read["services"][service]["secrets"]} for service in SETTINGS}
    every = set(STACK_SECRETS)
    jwt = {"storecast_jwt_secret_previous"} if "jwt-secret-previous" in STACKS[name] else set()
    emitter = {"storecast_emitter_secret_previous"} if "emitter-secret-previous" in STACKS[name] else set()
    assert used == {"api": every | jwt, "emitter": every | jwt | emitter}
    assert {secret for service in used.values() for secret in service} <= settings
    for secret in STACK_SECRETS:
        assert f"docker secret create {secret} -" in DOCUMENT.read_text()


def test_a_secret_can_be_another_by_another_name() -> None:
    """A Docker secret cannot be changed; the services find it by the same name wherever it comes from."""
    by_another = {"STORECAST_EMITTER_SECRET_NAME": "emitter-2", "STORECAST_JWT_SECRET_NAME": "jwt-2"}
    for given, names in ((NEEDED, STACK_SECRETS), (NEEDED | by_another, by_another.values())):
        told = stack(files("one emitter"), given=given)
        read = yaml.safe_load(told.stdout)
        assert [read["secrets"][secret]["name"] for secret in STACK_SECRETS] == list(names)
        for service in SETTINGS:
            assert [
                each.get("target", each["source"]) for each in read["services"][service]["secrets"]
            ] == STACK_SECRETS


@every_stack
def test_each_is_replaced_as_it_has_to_be(name: str) -> None:
    """A lone emitter and MongoDB end before their successors start; an API replica, and one emitter of many, after."""
    many = "emitters" in STACKS[name]
    services = stack_config(name)["services"]
    orders = {service: each["deploy"]["update_config"]["order"] for service, each in services.items()}
    assert orders == {
        "mongo": "stop-first",
        "api": "start-first",
        "emitter": "start-first" if many else "stop-first",
        "gateway": "stop-first",  # its port is the node's
    } | ({"redis": "stop-first"} if many else {})
    for service in SETTINGS:
        deploy = services[service]["deploy"]
        assert deploy["update_config"]["failure_action"] == "rollback"
        assert deploy["rollback_config"]["order"] == orders[service]
    assert services["api"]["deploy"]["replicas"] == 3
    assert services["emitter"]["deploy"]["replicas"] == (3 if many else 1)


@every_stack
def test_each_comes_back_and_has_bounds(name: str) -> None:
    """Whatever ends is started again; each says what it needs and how much it may take, and whether it is well."""
    for service, described in stack_config(name)["services"].items():
        deploy = described["deploy"]
        assert deploy["restart_policy"]["condition"] == "any", service
        for bound in ("reservations", "limits"):
            assert deploy["resources"][bound].keys() == {"cpus", "memory"}, service
        assert described["read_only"] is True
        assert described["cap_drop"] == ["ALL"]
        assert "cap_add" not in described
        # One check: files that are merged add to a list. Those of the images of our own are in the images.
        test = described["healthcheck"].get("test", ["CMD"])
        assert sum(word in {"CMD", "CMD-SHELL"} for word in test) == 1, service
        assert ("test" in described["healthcheck"]) is (service not in SETTINGS)


@every_stack
def test_a_service_has_time_to_end(name: str) -> None:
    """Docker kills what has not ended by then: the drain and the last requests fit in."""
    services = stack_config(name)["services"]
    drain_s = float(services["emitter"]["environment"].get("STORECAST_DRAIN_SECONDS", 0))
    assert seconds(services["emitter"]["stop_grace_period"]) > drain_s + INTERNAL_CALL_S
    assert seconds(services["mongo"]["stop_grace_period"]) >= 30


@every_stack
def test_a_start_may_take_as_long_as_the_api_waits(name: str) -> None:
    """There is no order of starts in Swarm: the API waits for MongoDB, and nobody ends it meanwhile."""
    api = stack_config(name)["services"]["api"]
    waits_s = int(api["environment"]["STORECAST_STARTUP_TIMEOUT_MS"]) / 1000
    assert seconds(api["healthcheck"]["start_period"]) > waits_s


@every_stack
def test_data_has_its_place_and_its_network(name: str) -> None:
    """MongoDB stays where its volume is; it and Redis have no way out, and nobody but the services a way to them."""
    read = stack_config(name)
    services = read["services"]
    assert services["mongo"]["deploy"]["placement"]["constraints"] == ["node.labels.storecast-data == true"]
    assert services["mongo"]["hostname"] == "mongo"
    assert services["mongo"]["healthcheck"]["test"] == config(())["services"]["mongo"]["healthcheck"]["test"]
    networks = {
        network: {each for each in services if network in services[each]["networks"]} for network in read["networks"]
    }
    expected = {"data": {"mongo", "api"}, "services": {"api", "emitter", "gateway"}}
    assert networks == expected | ({"cluster": {"redis", "api", "emitter"}} if "redis" in services else {})
    for network, described in read["networks"].items():
        assert described["driver"] == "overlay"
        assert described["driver_opts"] == {"encrypted": "true"}
        assert described.get("internal", False) is (network != "services")


@every_stack
def test_every_variable_is_a_setting(name: str) -> None:
    """Each STORECAST_ variable is one that the service reads, and what it is set to is taken."""
    for service, settings in SETTINGS.items():
        given = dict(stack_config(name)["services"][service]["environment"])
        given["STORECAST_INSTANCE"] = given["STORECAST_INSTANCE"].replace("{{.Task.Slot}}", "3")
        names = {f"{PREFIX}{field.upper()}" for field in settings.model_fields}
        assert given.keys() <= names
        load(settings, given)


@every_stack
def test_what_is_counted_is_counted_by_all_together(name: str) -> None:
    """Where there is a Redis both services have it."""
    services = stack_config(name)["services"]
    given = {services[service]["environment"].get("STORECAST_REDIS_URL") for service in SETTINGS}
    assert given == ({"redis://redis:6379"} if "redis" in services else {None})


def test_redis_forgets_nothing_for_want_of_room() -> None:
    """It is the one of Compose."""
    redis, by_compose = (read["services"]["redis"] for read in (stack_config("many emitters"), config(("emitters",))))
    assert redis["command"] == by_compose["command"]


def gateway(name: str) -> Config:
    """Return a stack's gateway."""
    described: Config = stack_config(name)["services"]["gateway"]
    return described


@every_stack
def test_the_gateway_balances_by_itself(name: str) -> None:
    """HAProxy asks for the address of each task. Each version has a config of its own with the very file."""
    described = gateway(name)
    for service in SETTINGS:
        port = SETTINGS[service].model_fields["port"].default
        servers = described["environment"][f"STORECAST_{service.upper()}_SERVERS"]
        assert re.fullmatch(rf"server-template {service}- 1-\d+ tasks\.{service}:{port} resolvers docker .*", servers)
    [mounted] = described["configs"]
    assert mounted["target"] == "/usr/local/etc/haproxy/haproxy.cfg"
    source = stack_config(name)["configs"][mounted["source"]]
    assert Path(source["file"]) == haproxy.TEMPLATE
    assert source["name"].endswith(NEEDED["STORECAST_TAG"])


def test_haproxy_takes_its_configuration(tmp_path: Path) -> None:
    """With these values; with TLS there are two ports, and the health check asks the one that speaks it."""
    program = haproxy.find() or missing(haproxy.INSTALL_HINT)
    environment = gateway("one emitter")["environment"]
    checked = subprocess.run(
        [program, "-c", "-f", haproxy.TEMPLATE],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    secure = gateway("with TLS")
    assert [(port["target"], port["published"], port["mode"]) for port in secure["ports"]] == [
        (8080, 80, "host"),
        (8443, 443, "host"),
    ]
    assert environment["HEALTH_URL"] == "http://127.0.0.1:8080/livez"
    assert secure["environment"]["HEALTH_URL"] == "https://127.0.0.1:8443/livez"
    # What the proxy is told of TLS is what it is told by Compose, where it is tested.
    told = (
        "STORECAST_LISTEN",
        "STORECAST_REDIRECT_LISTEN",
        "STORECAST_CERTIFICATE",
        "STORECAST_HSTS",
        "STORECAST_ORIGIN",
    )
    by_compose = config(("emitters", "tls/haproxy"))["services"]["gateway"]["environment"]
    assert {key: secure["environment"][key] for key in told} == {key: by_compose[key] for key in told}
    assert {(each["target"], each["uid"], each["mode"]) for each in secure["secrets"]} == {
        ("tls.crt", "99", 0o400),
        ("tls.key", "99", 0o400),
    }


def test_every_command_of_the_document_is_valid() -> None:
    """The files that a `docker stack deploy` names are there, and Docker takes them together."""
    text = DOCUMENT.read_text().replace("\\\n", " ")
    deployed = [re.findall(r" -c (\S+)", line) for line in re.findall(r"docker stack deploy .*", text)]
    assert deployed
    for named in deployed:
        assert named in [files(name) for name in STACKS]
    assert {file for named in deployed for file in named} == set(files("all"))
