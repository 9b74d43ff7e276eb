"""Every combination of compose files, as Docker Compose reads it."""

import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from api_service.settings import Settings as ApiSettings
from deploy.local import haproxy
from deploy.local.nginx import INCLUDED, ONE_ORIGIN, UPSTREAMS, render
from shared.errors import StartupError
from shared.serving.tokens import tokens_of
from shared.settings import PREFIX, ServiceSettings
from tests.compose.variants import (
    ADDITIONS,
    GATEWAYS,
    NEEDED,
    TOKENS,
    Config,
    Variant,
    compose,
    config,
    paths,
    seconds,
    tls,
    variants,
)
from tests.loading import load
from tests.observability import FOLDER
from tests.processes import ROOT
from tests.tools import missing
from ws_service.settings import Settings as EmitterSettings

SETTINGS: dict[str, type[ServiceSettings]] = {"api": ApiSettings, "emitter": EmitterSettings}
DOCKERS_GRACE_S = 10
INTERNAL_CALL_S = 3  # an emitter waits so long for its internal calls in the end
API_REQUEST_S = 5  # and a replica of the API for its requests
SOCKET = "/var/run/docker.sock"
DOCUMENTS = (ROOT / "README.md", ROOT / "docs/compose.md")
_SET = r"(?:[A-Z_]+=(?:\$\([^)]*\)|\S+) +)"

every_variant = pytest.mark.parametrize("variant", variants(), ids=lambda variant: "+".join(variant) or "plain")

MAIN = ONE_ORIGIN.parent / "container.conf"


def members(config: Config) -> dict[str, set[str]]:
    """Return who is in which network."""
    found = defaultdict(set)
    for name, service in config["services"].items():
        for network in service["networks"]:
            found[network].add(name)
    return dict(found)


def neighbours(config: Config, name: str) -> set[str]:
    """Return the services that a service can reach."""
    return set().union(*(those for those in members(config).values() if name in those))


def bind_mounts(config: Config) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what services see of this machine."""
    for name, service in config["services"].items():
        for mount in service.get("volumes", ()):
            if mount["type"] == "bind":
                yield name, mount


def given_to(name: str, variant: Variant, **given: str) -> dict[str, str]:
    """Return the variables that a service is started with."""
    environment = config(variant, **given)["services"][name]["environment"]
    return {key: value for key, value in environment.items() if value is not None}


def test_no_file_is_left_out() -> None:
    """Each file there is stands in some combination, so that it is tested."""
    there = {str(path.relative_to(ROOT)) for path in ROOT.glob("deploy/compose/**/*.yml")}
    assert {file for variant in variants() for file in paths(variant)} == {"docker-compose.yml", *there}


@every_variant
def test_it_is_valid(variant: Variant) -> None:
    """Compose takes it, without a warning."""
    told = compose(paths(variant), "-q")
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


def test_a_fault_is_found(tmp_path: Path) -> None:
    """A misspelt key is told: the validation is a real one."""
    wrong = tmp_path / "wrong.yml"
    wrong.write_text("services: {api: {enviroment: {A: b}}}")
    told = compose([*paths(()), str(wrong)], "-q")
    assert told.returncode != 0
    assert "enviroment" in told.stderr


@pytest.mark.parametrize(
    ("variant", "name"),
    [
        ((), "STORECAST_EMITTER_SECRET"),
        (("observability",), "STORECAST_GRAFANA_PASSWORD"),
        (TOKENS, "STORECAST_JWKS_URL"),
        (TOKENS, "STORECAST_JWT_ISSUER"),
        *((tls(gateway), name) for gateway in GATEWAYS for name in ("STORECAST_TLS_CERTIFICATE", "STORECAST_TLS_KEY")),
    ],
)
@pytest.mark.parametrize("empty", [False, True], ids=["missing", "empty"])
def test_a_missing_secret_stops_compose(variant: Variant, name: str, *, empty: bool) -> None:
    """There is no default secret; what has to be set is said, with what to."""
    given = {key: value for key, value in NEEDED.items() if key != name} | ({name: ""} if empty else {})
    told = compose(paths(variant), "-q", given=given)
    assert told.returncode != 0
    assert re.search(rf"required variable {name} is missing a value: set it to \w+", told.stderr)


def test_nothing_starts_that_does_not_know_whose_tokens_to_take() -> None:
    """Compose says what to set; what is left empty, as for an identity provider, the services themselves say."""
    given = {key: value for key, value in NEEDED.items() if key != "STORECAST_JWT_SECRET"}
    told = compose(paths(()), "-q", given=given)
    assert told.returncode != 0
    assert "required variable STORECAST_JWT_SECRET is missing a value: set it to" in told.stderr
    for name, settings in SETTINGS.items():
        with pytest.raises(StartupError, match="STORECAST_JWT_SECRET: set it"):
            tokens_of(load(settings, given_to(name, (), STORECAST_JWT_SECRET="")))
        with pytest.raises(StartupError, match="set one of them"):
            tokens_of(load(settings, given_to(name, TOKENS)))
        tokens_of(load(settings, given_to(name, TOKENS, STORECAST_JWT_SECRET="")))


@pytest.mark.parametrize("name", ["STORECAST_EMITTER_SECRET", "STORECAST_JWT_SECRET", "STORECAST_GRAFANA_PASSWORD"])
def test_a_secret_comes_from_the_environment(name: str) -> None:
    """What is set is what the services get, and no file has another."""
    read = config(("emitters", "observability"), **{name: "said-by-the-operator"})
    got = {value for each in read["services"].values() for value in each.get("environment", {}).values()}
    assert "said-by-the-operator" in got
    for file in {file for variant in variants() for file in paths(variant)}:
        for line in (ROOT / file).read_text().splitlines():
            if found := re.match(r"\s+\w*(?:SECRET|PASSWORD|TOKEN)\w*:\s*(.*)", line):
                assert re.match(r"\$\{\w+:\?|\*|$", found[1]), line


def test_a_secret_may_have_another_beside_it_while_it_is_replaced() -> None:
    """Those who take two are handed the second where it is set; left empty, it is none."""
    for value in ("the-one-before-or-the-one-to-come", ""):
        given = {"STORECAST_EMITTER_SECRET_PREVIOUS": value, "STORECAST_JWT_SECRET_PREVIOUS": value}
        previous = {
            name: {key: value for key, value in given_to(name, (), **given).items() if key.endswith("_PREVIOUS")}
            for name in SETTINGS
        }
        assert previous == {"api": {"STORECAST_JWT_SECRET_PREVIOUS": value}, "emitter": given}
        for name, settings in SETTINGS.items():
            tokens_of(load(settings, given_to(name, (), **given)))


@every_variant
def test_the_parts_are_those_of_the_files(variant: Variant) -> None:
    """MongoDB, three replicas of the API, one emitter or several, one gateway, and what a file is named after."""
    services = config(variant)["services"]
    expected = {"mongo", "api", "emitter", "gateway"}
    expected |= {"redis"} if "emitters" in variant else set()
    expected |= {"docker-api"} if "traefik" in variant else set()
    expected |= {"mongo-2", "mongo-3"} if "mongo-members" in variant else set()
    expected |= {"prometheus", "grafana"} if "observability" in variant else set()
    assert services.keys() == expected
    assert services["api"]["deploy"]["replicas"] == 3
    assert services["emitter"].get("deploy", {}).get("replicas", 1) == (3 if "emitters" in variant else 1)


@every_variant
def test_only_the_gateway_and_grafana_are_published_and_only_on_this_machine(variant: Variant) -> None:
    """Neither MongoDB nor Redis nor the emitter's internal calls can be reached from outside."""
    published = {
        (name, port["target"]): (port["host_ip"], port["published"])
        for name, service in config(variant)["services"].items()
        for port in service.get("ports", ())
    }
    expected = {("gateway", 8080): ("127.0.0.1", "8080")}
    if any(name.startswith("tls/") for name in variant):
        expected["gateway", 8443] = ("127.0.0.1", "8443")
    if "observability" in variant:
        expected["grafana", 3000] = ("127.0.0.1", "3000")
    assert published == expected


def test_the_gateway_is_published_where_one_wants() -> None:
    """Both of its ports, at an address of one's own."""
    given = {"STORECAST_PUBLISH": "0.0.0.0:80", "STORECAST_PUBLISH_TLS": "[::]:443"}
    ports = config(tls("nginx"), **given)["services"]["gateway"]["ports"]
    assert [(port["host_ip"], port["published"], port["target"]) for port in ports] == [
        ("0.0.0.0", "80", 8080),
        ("::", "443", 8443),
    ]


@every_variant
def test_nobody_reaches_what_he_does_not_need(variant: Variant) -> None:
    """MongoDB is for the API, Redis for both services, Docker for who tells Traefik; none of them has a way out."""
    read = config(variant)
    services = read["services"].keys()
    expected = {
        "data": {"api", *(name for name in services if name.startswith("mongo"))},
        "services": {"api", "emitter", "gateway"} | ({"prometheus"} & services),
    }
    expected |= {"cluster": {"redis", "api", "emitter"}} if "redis" in services else {}
    expected |= {"docker": {"docker-api", "gateway"}} if "docker-api" in services else {}
    expected |= {"monitoring": {"prometheus", "grafana"}} if "grafana" in services else {}
    assert members(read) == expected
    closed = {name for name, network in read["networks"].items() if network.get("internal")}
    assert closed == {"data", "cluster", "docker"} & expected.keys()


@every_variant
def test_nothing_can_write_or_has_privileges(variant: Variant) -> None:
    """A hole in a service is not one in the machine. Only nginx has capabilities: its workers are another user."""
    for name, service in config(variant)["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        allowed = ["CHOWN", "SETGID", "SETUID"] if service["image"].startswith("nginx:") else []
        assert service.get("cap_add", []) == allowed, name
        assert "privileged" not in service
        assert "network_mode" not in service


@every_variant
def test_what_is_mounted_is_there_and_cannot_be_written(variant: Variant) -> None:
    """Docker would make an empty folder of a file that is missing. Its socket is for one alone, who faces nobody."""
    for name, mount in bind_mounts(config(variant)):
        assert mount["read_only"] is True, mount
        if mount["source"] == SOCKET:
            assert name == "docker-api"
        else:
            assert Path(mount["source"]).exists(), mount


@every_variant
def test_every_service_comes_back_and_says_whether_it_is_well(variant: Variant) -> None:
    """Each is started again after a fall; who needs another waits until that one is well."""
    dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text()
    services = config(variant)["services"]
    for name, service in services.items():
        assert service["restart"] == "unless-stopped", name
        if "build" in service:
            assert f" AS {service['build']['target']}\n" in dockerfile
            assert "HEALTHCHECK" in dockerfile
        else:
            assert service["healthcheck"]["test"][0] == "CMD", name
        for other, need in service.get("depends_on", {}).items():
            assert need["condition"] == ("service_started" if name == "grafana" else "service_healthy")
            assert other in services


@every_variant
def test_a_service_has_time_to_end(variant: Variant) -> None:
    """Docker kills what has not ended by then: the drain and the last requests fit in."""
    services = config(variant)["services"]
    grace = {name: seconds(each.get("stop_grace_period", f"{DOCKERS_GRACE_S}s")) for name, each in services.items()}
    drains = "STORECAST_REDIS_URL" in services["emitter"]["environment"]
    drain_s = float(services["emitter"]["environment"].get("STORECAST_DRAIN_SECONDS", 0))
    assert drains is ("emitters" in variant)
    assert grace["emitter"] > drain_s + INTERNAL_CALL_S
    assert grace["api"] > API_REQUEST_S
    assert all(grace[name] >= 30 for name in grace if name.startswith("mongo"))


@every_variant
def test_every_variable_is_a_setting(variant: Variant) -> None:
    """Each STORECAST_ variable is one that the service reads, and what it is set to is taken."""
    for service, settings in SETTINGS.items():
        given = given_to(service, variant)
        assert given.keys() <= {f"{PREFIX}{field.upper()}" for field in settings.model_fields}
        load(settings, given)


@every_variant
def test_every_host_is_a_service_within_reach(variant: Variant) -> None:
    """Whatever name a URL or a list of servers leads to is a service that shares a network with who asks."""
    read = config(variant)
    for name, service in read["services"].items():
        for value in filter(None, service.get("environment", {}).values()):
            hosts = re.findall(r"\bserver(?:-template \S+ \S+)? ([a-z-]+):\d+", value)
            if re.match(r"(http|tcp|redis|mongodb)://", value):
                hosts += [host.partition(":")[0] for host in urlsplit(value).netloc.split(",")]
            local = {"127.0.0.1", "localhost", "shop.example"}
            assert set(hosts) <= neighbours(read, name) | local, (name, value)


def test_the_members_of_mongodb_are_those_that_the_api_knows() -> None:
    """Each has data of its own; the one that makes the replica set names all of them."""
    services = config(("mongo-members",))["services"]
    mongods = [name for name in services if name.startswith("mongo")]
    assert services["api"]["environment"]["STORECAST_MONGO_URL"] == (
        f"mongodb://{','.join(mongods)}/storecast?replicaSet=rs0"
    )
    assert len({services[name]["volumes"][0]["source"] for name in mongods}) == 3
    assert {services[name]["volumes"][0]["target"] for name in mongods} == {"/data/db"}
    initiate = services["mongo"]["healthcheck"]["test"][-1]
    assert json.dumps(mongods) in initiate
    assert not [name for name in mongods[1:] if "initiate" in services[name]["healthcheck"]["test"][-1]]
    differing = {"volumes", "healthcheck"}
    plain = [{key: value for key, value in services[name].items() if key not in differing} for name in mongods]
    assert plain[0] == plain[1] == plain[2]


@every_variant
def test_what_is_counted_is_counted_by_all_together(variant: Variant) -> None:
    """Where there is a Redis both services have it; no replica of the API waits for it, as it can do without."""
    services = config(variant)["services"]
    given = {services[name]["environment"].get("STORECAST_REDIS_URL") for name in SETTINGS}
    assert given == ({"redis://redis:6379"} if "emitters" in variant else {None})
    assert "redis" not in services["api"]["depends_on"]


def test_redis_forgets_nothing_for_want_of_room() -> None:
    """Full, which it is at some time before the machine is, it refuses what is new; it keeps nothing on disk."""
    command = config(("emitters",))["services"]["redis"]["command"]
    assert command[1:] == [
        *("--save", "", "--appendonly", "no"),
        *("--maxmemory", "384mb", "--maxmemory-policy", "noeviction"),
    ]


def test_nginx_values_fit_the_templates() -> None:
    """The nginx image fills in the same templates, without our checks; so they are made here."""
    gateway = config(())["services"]["gateway"]
    environment = gateway["environment"]
    assert "server api:8000 resolve" in render(UPSTREAMS, environment)
    assert "listen 8080;" in render(ONE_ORIGIN, environment)
    # The image replaces what the filter lets through: nginx's own variables must not be among it.
    assert environment["NGINX_ENVSUBST_FILTER"] == "^STORECAST_"
    assert {Path(mount["source"]) for mount in gateway["volumes"]} == {MAIN, ONE_ORIGIN, UPSTREAMS, INCLUDED}
    # The image's own main file has room for 1,024 connections.
    room = "worker_connections 16384;"
    assert room in MAIN.read_text()
    assert room in (MAIN.parent / "local.conf").read_text()
    secure = config(tls("nginx"))["services"]["gateway"]
    for mount in secure["volumes"]:
        if mount["source"].endswith(".template"):
            wanted = set(re.findall(r"\$\{(\w+)\}", Path(mount["source"]).read_text()))
            assert wanted <= secure["environment"].keys()


@pytest.mark.parametrize(("variant", "service"), [(("emitters",), "gateway"), (("traefik",), "docker-api")])
def test_haproxy_takes_its_configuration(variant: Variant, service: str, tmp_path: Path) -> None:
    """HAProxy fills in the file by itself; it takes it as it stands, with these values."""
    read = config(variant)["services"][service]
    mount = read["volumes"][0]
    assert mount["target"] == "/usr/local/etc/haproxy/haproxy.cfg"
    program = haproxy.find() or missing(haproxy.INSTALL_HINT)
    checked = subprocess.run(
        [program, "-c", "-f", mount["source"]],
        env=read["environment"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout.strip()) == (0, "Configuration file is valid"), checked.stderr


@every_variant
def test_a_health_check_of_the_gateway_asks_where_it_listens(variant: Variant) -> None:
    """Over TLS where the plain port leads away, to a name that may not be this container's."""
    [*_, url] = config(variant)["services"]["gateway"]["healthcheck"]["test"]
    over_tls = any(name.startswith("tls/") for name in variant)
    assert url == ("https://127.0.0.1:8443/livez" if over_tls else "http://127.0.0.1:8080/livez")


def test_hsts_is_for_who_asks_for_it() -> None:
    """A browser remembers it for the host, on all of its ports: not to be sent from a first try on localhost."""
    for gateway in GATEWAYS:
        assert config(tls(gateway))["services"]["gateway"]["environment"]["STORECAST_HSTS"] == ""
        given = {"STORECAST_HSTS": "max-age=300", "STORECAST_ORIGIN": "https://shop.example"}
        environment = config(tls(gateway), **given)["services"]["gateway"]["environment"]
        assert given.items() <= environment.items()


def test_prometheus_finds_every_replica_and_grafana_the_board() -> None:
    """Prometheus asks the names of the services; each file is where the one that reads it looks."""
    services = config(("observability",))["services"]
    places = {mount["target"]: Path(mount["source"]) for _, mount in bind_mounts(config(("observability",)))}
    [own] = [arg.partition("=")[2] for arg in services["prometheus"]["command"] if arg.startswith("--config.file=")]
    read = yaml.safe_load(places[own].read_text())
    for job, service in zip(read["scrape_configs"], SETTINGS, strict=True):
        [found] = job["dns_sd_configs"]
        assert found["names"] == [service]
        assert found["port"] == SETTINGS[service].model_fields["port"].default
    for rules in read["rule_files"]:
        assert places[str(Path(own).parent / rules)].exists()
    [provider] = yaml.safe_load(places["/etc/grafana/provisioning/dashboards/storecast.yml"].read_text())["providers"]
    [board] = [target for target in places if target.startswith(provider["options"]["path"])]
    assert places[board] == FOLDER / "grafana/board.json"
    assert services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == board
    [source] = yaml.safe_load(places["/etc/grafana/provisioning/datasources/storecast.yml"].read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"


def commands() -> list[str]:
    """Return the `docker compose` commands that are written down, each as one line; and what stands for their files."""
    found = []
    for document in (*DOCUMENTS, *ROOT.glob("deploy/compose/**/*.yml"), ROOT / "docker-compose.yml"):
        text = re.sub(r"^#( |$)", "", document.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
        commands = re.findall(rf"^(?: +)?{_SET}*(docker compose\b.*)", text, re.MULTILINE)
        kept = re.findall(r"^ *COMPOSE_FILE=(\S+)", text, re.MULTILINE)
        found += [*commands, *(f"docker compose -f {' -f '.join(files.split(':'))}" for files in kept)]
    return found


def files_of(command: str) -> list[str]:
    """Return the files that a command names."""
    return re.findall(r" -f (\S+)", command) or ["docker-compose.yml"]


@pytest.mark.parametrize("command", commands())
def test_every_command_of_the_documents_is_valid(command: str) -> None:
    """The files that a command names are there, and go together."""
    told = compose(files_of(command), "-q")
    assert told.returncode == 0, told.stderr
    assert tuple(files_of(command)) in {tuple(paths(variant)) for variant in variants()}


def test_the_documents_have_a_command_for_every_way() -> None:
    """Each gateway, with TLS and without, and each addition."""
    told = {tuple(files_of(command)) for command in commands()}
    ways = [*GATEWAYS.values(), *map(tls, GATEWAYS), *((added,) for added in ADDITIONS), TOKENS]
    assert {tuple(paths(way)) for way in ways} <= told


def test_the_documents_tell_of_every_variable() -> None:
    """Whatever one may set stands in the table."""
    files = {file for variant in variants() for file in paths(variant)}
    asked = {name for file in files for name in re.findall(r"\$\{(STORECAST_\w+)", (ROOT / file).read_text())}
    handed_on = {name for name, value in config(())["services"]["emitter"]["environment"].items() if value is None}
    assert asked | handed_on == set(re.findall(r"STORECAST_\w+", _table("What is set")))


def _table(heading: str) -> str:
    [section] = re.findall(
        rf"^## {heading}\n(.*?)^## ", (ROOT / "docs/compose.md").read_text(), re.DOTALL | re.MULTILINE
    )
    return "\n".join(line.split(" | ")[0] for line in section.splitlines() if line.startswith("| "))
