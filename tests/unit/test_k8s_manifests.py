"""Every overlay for Kubernetes, as `kubectl kustomize` builds it."""

import functools
import json
import os
import re
import subprocess
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from api_service.settings import Settings as ApiSettings
from shared.serving.tokens import tokens_of
from shared.settings import PREFIX, ServiceSettings
from tests.documents.markdown import blocks
from tests.k8s import custom
from tests.k8s.manifests import (
    CLUSTERED,
    KUBERNETES,
    OVERLAYS,
    Manifest,
    build,
    containers,
    environment,
    grace,
    labels,
    of_kind,
    one,
    overlay,
    pod,
    workloads,
)
from tests.loading import load
from tests.observability import FOLDER as OBSERVABILITY
from tests.observability import ROOT, alerts, selectors
from ws_service import metrics
from ws_service.cluster.redis import open_redis
from ws_service.settings import Settings as EmitterSettings

VERSIONS = ("1.29", kubernetes_validate.latest_version())
DOCUMENTATION = KUBERNETES.parents[1] / "docs" / "kubernetes.md"
SETTINGS: dict[str, type[ServiceSettings]] = {"api": ApiSettings, "emitter": EmitterSettings}
SECRET_KEYS = {"emitter-secret", "jwt-secret", "mongo-url", "mongodb-key", "mongodb-password", "redis-password"}
WHILE_REPLACED = {"emitter-secret-previous", "jwt-secret-previous"}
OWN_UID = 10001
INTERNAL_CALL_S = 3  # an emitter waits so long for its internal calls in the end
API_REQUEST_S = 5  # and a replica of the API for its requests

WAYS_IN = (("ingress",), ("ingress", "ingress-affinity"), ("traefik",), ("gateway-api",), ("nodeport",))

every_overlay = pytest.mark.parametrize("name", OVERLAYS)


def problems(manifests: list[Manifest], version: str) -> list[str]:
    """Return what a version of Kubernetes has against manifests, strictly; the first of each."""
    native = [json.dumps(manifest) for manifest in manifests if not custom.is_custom(manifest)]
    return [problem for manifest in native if (problem := _problem(manifest, version))]


@functools.cache
def _problem(manifest: str, version: str) -> str | None:
    # Overlays have most manifests in common, and each validation reads all of the schemas.
    given = json.loads(manifest)
    try:
        kubernetes_validate.validate(given, version, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        return f"{given['kind']} {given['metadata']['name']}: {error.message}"
    return None


def matching(manifests: list[Manifest], selector: dict[str, Any]) -> list[Manifest]:
    """Return the workloads whose pods a label selector finds; a Service's selector is one without a key."""
    if not {"matchLabels", "matchExpressions"} & selector.keys():
        selector = {"matchLabels": selector}
    wanted = {name: {value} for name, value in selector.get("matchLabels", {}).items()}
    wanted |= {each["key"]: set(each["values"]) for each in selector.get("matchExpressions", [])}
    return [each for each in workloads(manifests) if all(labels(each).get(name) in wanted[name] for name in wanted)]


def ports(workload: Manifest) -> dict[str, int]:
    """Return the named ports of a workload's pods."""
    return {port["name"]: port["containerPort"] for each in pod(workload)["containers"] for port in each["ports"]}


def strings(value: Any) -> Iterator[str]:
    """Yield every text in a manifest."""
    if isinstance(value, dict):
        yield from chain.from_iterable(map(strings, value.values()))
    elif isinstance(value, list):
        yield from chain.from_iterable(map(strings, value))
    elif isinstance(value, str):
        yield value


def test_all_overlays_are_there() -> None:
    """Each way to run it that the documentation offers is tested here, and each component is one of them."""
    text = DOCUMENTATION.read_text()
    assert sorted(set(re.findall(r"`overlays/([a-z-]+)`", text))) == OVERLAYS
    [table] = re.findall(r"\| component \|.*?\n\n", text, re.DOTALL)
    listed = {name for row in table.split("\n|")[2:] for name in re.findall(r"`([a-z-]+)`", row.partition("|")[0])}
    assert listed == {folder.name for folder in (KUBERNETES / "components").iterdir()}


@pytest.mark.parametrize("version", VERSIONS)
@every_overlay
def test_every_manifest_is_valid(name: str, version: str) -> None:
    """Each is what Kubernetes 1.29 and the newest one take: no unknown field, no unknown kind, no wrong type."""
    assert problems(overlay(name), version) == []


@pytest.mark.parametrize("way_in", WAYS_IN, ids="+".join)
@pytest.mark.parametrize("emitters", [(), ("redis",)], ids=["one", "many"])
@pytest.mark.parametrize("mongodb", ["mongodb", "existing-mongodb"])
def test_the_components_go_together(
    mongodb: str, emitters: tuple[str, ...], way_in: tuple[str, ...], tmp_path: Path
) -> None:
    """Whichever of each kind one chooses, with a monitor and an identity provider: it builds, and is valid."""
    manifests = composed(tmp_path, mongodb, *emitters, *way_in, "prometheus-operator", "jwks")
    for version in VERSIONS:
        assert problems(manifests, version) == []
    assert custom.problems([each for each in manifests if custom.is_custom(each)]) == []
    assert len(of_kind(manifests, "StatefulSet")) == (mongodb == "mongodb") + 2 * len(emitters)


def composed(folder: Path, *components: str) -> list[Manifest]:
    """Return what `base` makes with components."""
    deployed = os.path.relpath(KUBERNETES, folder.resolve())
    kustomization = {
        "kind": "Kustomization",
        "namespace": "storecast",
        "resources": [f"{deployed}/base"],
        "components": [f"{deployed}/components/{name}" for name in components],
    }
    (folder / "kustomization.yaml").write_text(json.dumps(kustomization))
    return build(folder)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_fault_in_a_manifest_is_found(version: str) -> None:
    """A misspelt field, a wrong type and an unknown kind are each told: the validation is a real one."""
    misspelt, mistyped, unknown = overlay("ingress"), overlay("ingress"), overlay("ingress")
    pod(one(misspelt, "Deployment", "api"))["terminationGraceSeconds"] = 30
    one(mistyped, "Service", "api")["spec"]["ports"][0]["port"] = "http"
    one(unknown, "Service", "api")["kind"] = "Servise"
    assert [len(problems(manifests, version)) for manifests in (misspelt, mistyped, unknown)] == [1, 1, 1]


@pytest.mark.parametrize("name", ["gateway-api", "traefik"])
def test_every_custom_resource_is_valid(name: str) -> None:
    """The resources of the Gateway API and of Traefik are what their definitions say, without unknown fields."""
    resources = [manifest for manifest in overlay(name) if custom.is_custom(manifest)]
    assert resources
    assert custom.problems(resources) == []


def test_a_fault_in_a_custom_resource_is_found() -> None:
    """A misspelt field deep down, a wrong value and an unknown kind are each told."""
    routes = one(overlay("traefik"), "IngressRoute", "storecast")
    routes["spec"]["routes"][1]["services"][0]["sticky"]["cookie"]["httponly"] = True
    route = one(overlay("gateway-api"), "HTTPRoute", "emitter")
    route["spec"]["rules"][0]["matches"][0]["path"]["type"] = "Exactly"
    unknown = {**route, "kind": "HTTPRute"}
    found = "\n".join(custom.problems([routes, route, unknown]))
    assert ".spec.routes[1].services[0].sticky.cookie.httponly" in found
    assert "HTTPRoute emitter: data/spec/rules/0/matches/0/path/type" in found
    assert "HTTPRute: there is no model of it" in found


@every_overlay
def test_everything_is_in_one_namespace(name: str) -> None:
    """Nothing is left where kubectl happens to point; the namespace refuses pods that ask for much."""
    for manifest in overlay(name):
        if manifest["kind"] != "Namespace":
            assert manifest["metadata"]["namespace"] == "storecast", manifest["metadata"]["name"]
    namespace = one(overlay(name), "Namespace", "storecast")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@every_overlay
def test_no_secret_is_in_a_manifest(name: str) -> None:
    """There is no Secret; what is one comes from `storecast`, and no text looks like a password or holds one."""
    manifests = overlay(name)
    assert of_kind(manifests, "Secret") == []
    for _, container in containers(manifests):
        for variable, value in environment(container).items():
            if isinstance(value, dict) and "secretKeyRef" in value:
                assert value["secretKeyRef"]["name"] == "storecast"
                assert value["secretKeyRef"]["key"] in SECRET_KEYS | WHILE_REPLACED
            elif re.search(r"SECRET|PASSWORD|KEY|TOKEN|AUTH", variable):
                pytest.fail(f"{variable} is given in the open")
    for text in strings(manifests):
        # Of a URL's login there may only be a variable.
        assert not re.search(r"\w://[^/@\s$]*:(?!\$\()[^/@\s]+@", re.sub(r"`[^`]*`|\$\{[^}]*\}", "$()", text)), text
        assert not re.search(r"[A-Za-z0-9+/]{40,}={0,2}", re.sub(r"/[a-z0-9.-]+", "", text)), text


@every_overlay
def test_a_secret_may_have_another_beside_it_while_it_is_replaced(name: str) -> None:
    """Those who take two are given the second where there is one; everything else has to be there."""
    optional = {
        (workload["metadata"]["name"], variable): value["secretKeyRef"]["key"]
        for workload, container in containers(overlay(name))
        for variable, value in environment(container).items()
        if isinstance(value, dict) and value.get("secretKeyRef", {}).get("optional")
    }
    assert optional == {
        ("api", "STORECAST_JWT_SECRET_PREVIOUS"): "jwt-secret-previous",
        ("emitter", "STORECAST_JWT_SECRET_PREVIOUS"): "jwt-secret-previous",
        ("emitter", "STORECAST_EMITTER_SECRET_PREVIOUS"): "emitter-secret-previous",
    }


@every_overlay
def test_every_pod_may_do_little(name: str) -> None:
    """Not root, no new rights, no capability, no writing to the image, no token of the cluster."""
    for workload in workloads(overlay(name)):
        spec = pod(workload)
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        if workload["metadata"]["name"] in SETTINGS:
            assert spec["securityContext"]["runAsUser"] == spec["securityContext"]["runAsGroup"] == OWN_UID
        for container in (*spec["containers"], *spec.get("initContainers", ())):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


@every_overlay
def test_every_container_is_probed_and_bounded(name: str) -> None:
    """Each has the three probes (but a Job's), requests and limits, and an image of a named version."""
    for workload, container in containers(overlay(name)):
        if workload["kind"] != "Job":
            assert {"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys(), container["name"]
        for bound in ("requests", "limits"):
            assert container["resources"][bound].keys() == {"cpu", "memory"}
        assert re.fullmatch(r"[a-z/.-]+:[0-9][a-z0-9.-]*", container["image"])


@every_overlay
def test_the_services_are_probed_as_they_mean_it(name: str) -> None:
    """Live is /livez and ready /readyz; and a start may take as long as the API waits for MongoDB."""
    for service in SETTINGS:
        [container] = pod(one(overlay(name), "Deployment", service))["containers"]
        assert container["livenessProbe"]["httpGet"] == container["startupProbe"]["httpGet"]
        assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "http"}
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    [api] = pod(one(overlay(name), "Deployment", "api"))["containers"]
    probe = api["startupProbe"]
    waits_ms = int(environment(api)["STORECAST_STARTUP_TIMEOUT_MS"])
    assert probe["periodSeconds"] * probe["failureThreshold"] * 1000 > waits_ms


@every_overlay
def test_a_pod_has_time_to_end(name: str) -> None:
    """The grace period is longer than preStop, the drain and what the service waits for in the end."""
    manifests = overlay(name)
    api, emitter = (one(manifests, "Deployment", service) for service in SETTINGS)
    assert grace(api) > API_REQUEST_S
    [container] = pod(emitter)["containers"]
    default = EmitterSettings.model_fields["drain_seconds"].default
    assert grace(emitter) > float(environment(container).get("STORECAST_DRAIN_SECONDS", default)) + INTERNAL_CALL_S
    for workload in (api, emitter) if name in CLUSTERED else (api,):
        [container] = pod(workload)["containers"]
        assert "preStop" in container["lifecycle"], "proxies have not heard yet that it ends"


@every_overlay
def test_every_variable_is_a_setting(name: str) -> None:
    """Each STORECAST_ variable is one that the service reads, and what it is set to is taken."""
    for service, settings in SETTINGS.items():
        [container] = pod(one(overlay(name), "Deployment", service))["containers"]
        given = {key: value for key, value in environment(container).items() if key.startswith(PREFIX)}
        names = {f"{PREFIX}{field.upper()}" for field in settings.model_fields}
        assert given.keys() <= names
        assert f"{PREFIX}EMITTER_SECRET" in given
        load(settings, {key: value for key, value in given.items() if isinstance(value, str)})


@every_overlay
def test_a_variable_is_composed_of_what_was_set_before(name: str) -> None:
    """Kubernetes puts $(NAME) in only if NAME stands before it in the list, and else leaves it as it is."""
    for _, container in containers(overlay(name)):
        seen: set[str] = set()
        for variable, value in environment(container).items():
            if isinstance(value, str):
                assert set(re.findall(r"\$\(([A-Z_]+)\)", value)) <= seen, variable
            seen.add(variable)


@every_overlay
def test_every_selector_finds_its_pods(name: str) -> None:
    """Services, workloads, budgets, policies and spread constraints each select pods that there are."""
    manifests = overlay(name)
    for workload in of_kind(manifests, "Deployment", "StatefulSet"):
        assert matching(manifests, workload["spec"]["selector"]) == [workload]
        for constraint in pod(workload).get("topologySpreadConstraints", ()):
            assert matching(manifests, constraint["labelSelector"]) == [workload]
    for selecting in of_kind(manifests, "Service", "PodDisruptionBudget"):
        assert len(matching(manifests, selecting["spec"]["selector"])) == 1, selecting["metadata"]["name"]
    for policy in of_kind(manifests, "NetworkPolicy"):
        spec = policy["spec"]
        peers = [peer for rule in spec.get("ingress", ()) for peer in rule.get("from", ())]
        for selector in (spec["podSelector"], *(peer["podSelector"] for peer in peers if "podSelector" in peer)):
            names = selector.get("matchLabels", {}).values()
            every = [value for each in selector.get("matchExpressions", ()) for value in each["values"]]
            found = {labels(each)["app.kubernetes.io/name"] for each in matching(manifests, selector)}
            assert set(names) | set(every) <= found, policy["metadata"]["name"]


@every_overlay
def test_every_port_is_one_that_is_listened_on(name: str) -> None:
    """A Service leads to a port of its pods, an Ingress to one of its Service, a probe to one of its container."""
    manifests = overlay(name)
    for ingress in of_kind(manifests, "Ingress"):
        for path in ingress["spec"]["rules"][0].get("http", {"paths": ()})["paths"]:
            backend = path["backend"]["service"]
            [port] = one(manifests, "Service", backend["name"])["spec"]["ports"]
            assert backend["port"] == {"name": port["name"]}
    for each in of_kind(manifests, "Service"):
        [workload] = matching(manifests, each["spec"]["selector"])
        for port in each["spec"]["ports"]:
            assert ports(workload)[port["targetPort"]]
    for service, settings in SETTINGS.items():
        default = settings.model_fields["port"].default
        assert ports(one(manifests, "Deployment", service)) == {"http": default}
        assert one(manifests, "Service", service)["spec"]["ports"][0]["port"] == default
    for _, container in containers(manifests):
        named = {port["name"] for port in container.get("ports", ())}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            for how in ("httpGet", "tcpSocket"):
                asked = container.get(probe, {}).get(how)
                assert asked is None or asked["port"] in named


@every_overlay
def test_every_stateful_set_has_its_service(name: str) -> None:
    """Its pods' names lead somewhere, before they are ready too: they need each other to become so."""
    manifests = overlay(name)
    for stateful in of_kind(manifests, "StatefulSet"):
        service = one(manifests, "Service", stateful["spec"]["serviceName"])["spec"]
        assert service["clusterIP"] == "None"
        assert service["publishNotReadyAddresses"] is True
        assert matching(manifests, service["selector"]) == [stateful]


@every_overlay
def test_every_host_is_a_service_or_a_pod_of_one(name: str) -> None:
    """Whatever name a variable leads to is a Service here, or one of a StatefulSet's pods, and its port is right."""
    manifests = overlay(name)
    known = {(each["metadata"]["name"], port["port"]) for each in of_kind(manifests, "Service")
             for port in each["spec"]["ports"]}  # fmt: skip
    for stateful in of_kind(manifests, "StatefulSet"):
        for index in range(stateful["spec"]["replicas"]):
            known |= {(f"{stateful['metadata']['name']}-{index}.{host}", port) for host, port in known
                      if host == stateful["spec"]["serviceName"]}  # fmt: skip
    hosts = {host for host, _ in known}
    found = 0
    for _, container in containers(manifests):
        for value in filter(lambda each: isinstance(each, str), environment(container).values()):
            for host, port in re.findall(r"(?<![\w.-])([a-z]+(?:-[a-z0-9]+)*(?:\.[a-z-]+)?):(\d+)", value):
                assert (host, int(port)) in known, value
                found += 1
            for host in re.findall(r"[a-z-]+-\d\.[a-z-]+", value):
                assert host in hosts, value
    assert found


@every_overlay
def test_emitters_are_replaced_or_share_a_redis(name: str) -> None:
    """A lone emitter is never two, which would split the clients; many have a Redis, and are rolled one by one."""
    manifests = overlay(name)
    emitter = one(manifests, "Deployment", "emitter")
    [container] = pod(emitter)["containers"]
    given = environment(container)
    scalers = [each["spec"]["scaleTargetRef"]["name"] for each in of_kind(manifests, "HorizontalPodAutoscaler")]
    if name not in CLUSTERED:
        assert emitter["spec"]["replicas"] == 1
        assert emitter["spec"]["strategy"] == {"type": "Recreate"}
        assert "STORECAST_REDIS_URL" not in given
        assert "emitter" not in scalers
        return
    assert emitter["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert "emitter" in scalers
    open_redis(given["STORECAST_REDIS_URL"].replace("$(REDIS_PASSWORD)", "f00"))


@every_overlay
def test_what_is_counted_is_counted_by_all_together(name: str) -> None:
    """Where there is a Redis the API's replicas have it as the emitters do, with its password."""
    manifests = overlay(name)
    api, emitter = (
        environment(pod(one(manifests, "Deployment", service))["containers"][0]) for service in ("api", "emitter")
    )
    assert ("STORECAST_REDIS_URL" in api) is (name in CLUSTERED)
    for variable in ("STORECAST_REDIS_URL", "REDIS_PASSWORD"):
        assert api.get(variable) == emitter.get(variable)


@every_overlay
def test_the_relay_reaches_an_emitter_that_is_not_ready(name: str) -> None:
    """An emitter is not ready before the relay has handed over: a ready address alone would be a deadlock."""
    manifests = overlay(name)
    [api] = pod(one(manifests, "Deployment", "api"))["containers"]
    host = environment(api)["STORECAST_EMITTER_URL"].removeprefix("http://").partition(":")[0]
    relay = one(manifests, "Service", host)["spec"]
    assert relay["clusterIP"] == "None"
    assert relay["publishNotReadyAddresses"] is True


@every_overlay
def test_an_autoscaler_owns_the_number(name: str) -> None:
    """Where one is, the manifest names no number: each `apply` would undo what it did. There are three at least."""
    manifests = overlay(name)
    scalers = of_kind(manifests, "HorizontalPodAutoscaler")
    for scaler in scalers:
        target = one(manifests, "Deployment", scaler["spec"]["scaleTargetRef"]["name"])
        assert "replicas" not in target["spec"]
        assert scaler["spec"]["minReplicas"] == 3
        cpu = [each for each in scaler["spec"]["metrics"] if each["type"] == "Resource"]
        assert cpu, "nothing is left where there is no adapter for custom metrics"
    assert "api" in {scaler["spec"]["scaleTargetRef"]["name"] for scaler in scalers}


@pytest.mark.parametrize("name", CLUSTERED)
def test_emitters_are_scaled_on_a_metric_that_there_is(name: str) -> None:
    """The custom metric's name is one that the emitter has."""
    scaler = one(overlay(name), "HorizontalPodAutoscaler", "emitter")
    [pods] = [each["pods"]["metric"]["name"] for each in scaler["spec"]["metrics"] if each["type"] == "Pods"]
    assert pods in {sample.name for family in metrics.connections.collect() for sample in family.samples}
    [rule] = yaml.safe_load((OBSERVABILITY / "prometheus-adapter.yml").read_text())["rules"]
    assert [selector.metric for selector in selectors(rule["seriesQuery"])] == [pods]


@every_overlay
def test_a_budget_lets_a_node_be_drained(name: str) -> None:
    """What has several pods loses one at a time, and never none: a node could not be emptied."""
    manifests = overlay(name)
    budgets = of_kind(manifests, "PodDisruptionBudget")
    assert all(budget["spec"]["maxUnavailable"] == 1 for budget in budgets)
    covered = [
        each["metadata"]["name"] for budget in budgets for each in matching(manifests, budget["spec"]["selector"])
    ]
    several = {
        each["metadata"]["name"]
        for each in of_kind(manifests, "Deployment", "StatefulSet")
        if each["spec"].get("replicas") != 1
    }
    assert set(covered) == several


def admitted(manifests: list[Manifest], name: str) -> set[str]:
    """Return whose pods, by name, may reach a workload's pods; or else the policy's name, and `all` for everyone."""
    found: set[str] = set()
    for policy in of_kind(manifests, "NetworkPolicy"):
        if name not in {each["metadata"]["name"] for each in matching(manifests, policy["spec"]["podSelector"])}:
            continue
        for rule in policy["spec"].get("ingress", ()):
            for peer in rule.get("from", [None]):
                if peer is None:
                    found.add("all")
                elif "namespaceSelector" in peer:
                    found.add(policy["metadata"]["name"])
                else:
                    found |= {each["metadata"]["name"] for each in matching(manifests, peer["podSelector"])}
    return found


@every_overlay
def test_only_those_reach_a_pod_who_need_to(name: str) -> None:
    """MongoDB and Redis are the services' alone; an emitter is for proxies, the API's calls, and Prometheus."""
    manifests = overlay(name)
    assert one(manifests, "NetworkPolicy", "nobody")["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    gateway = {"gateway"} if name == "nodeport" else set()
    allowed = {
        "api": {"proxies", "prometheus"} | gateway,
        "emitter": {"proxies", "prometheus", "api"} | gateway,
        "mongodb": {"api", "mongodb", "mongodb-init"},
        "mongodb-init": set(),
        "redis": {"api", "emitter", "redis", "redis-sentinel"},
        "redis-sentinel": {"api", "emitter", "redis", "redis-sentinel"},
        "gateway": {"all"},
    }
    for workload in workloads(manifests):
        own = workload["metadata"]["name"]
        assert admitted(manifests, own) == allowed[own], own


@pytest.mark.parametrize("name", CLUSTERED)
def test_redis_keeps_what_it_was_given(name: str) -> None:
    """It evicts nothing, writes what it has to a volume, and has less in memory than its limit."""
    manifests = overlay(name)
    redis = one(manifests, "StatefulSet", "redis")
    scripts = next(each for each in pod(redis)["volumes"] if each["name"] == "scripts")["configMap"]["name"]
    lines = one(manifests, "ConfigMap", scripts)["data"]["redis.conf"].splitlines()
    assert {"maxmemory-policy noeviction", "appendonly yes", "maxmemory 384mb"} <= set(lines)
    assert redis["spec"]["volumeClaimTemplates"]
    assert pod(redis)["containers"][0]["resources"]["limits"]["memory"] == "1Gi"


@every_overlay
def test_mongodb_is_a_set_of_three_that_can_be_made_again(name: str) -> None:
    """Three members with a volume each and a Job that may be repeated; or none, where there is a MongoDB already."""
    manifests = overlay(name)
    if name == "existing-mongodb":
        assert not of_kind(manifests, "StatefulSet", "Job")
        [api] = pod(one(manifests, "Deployment", "api"))["containers"]
        assert environment(api)["STORECAST_MONGO_URL"]["secretKeyRef"]["key"] == "mongo-url"
        return
    mongodb, job = one(manifests, "StatefulSet", "mongodb"), one(manifests, "Job", "mongodb-init")
    assert mongodb["spec"]["replicas"] == 3
    assert mongodb["spec"]["volumeClaimTemplates"]
    assert mongodb["spec"]["podManagementPolicy"] == "Parallel"
    assert job["spec"]["ttlSecondsAfterFinished"]
    members = environment(pod(job)["containers"][0])["MONGODB_MEMBERS"].split(",")
    assert members == [f"mongodb-{index}.mongodb:27017" for index in range(3)]
    # A new name of the script would change the Job, which Kubernetes refuses.
    assert one(manifests, "ConfigMap", "mongodb-init")["data"].keys() == {"init.js"}


def test_the_node_port_leads_to_a_proxy() -> None:
    """Nothing but HAProxy has a port of the nodes: the emitter's internal calls are on the same port as its sockets."""
    manifests = overlay("nodeport")
    gateway = one(manifests, "Service", "gateway")["spec"]
    assert gateway["sessionAffinity"] == "ClientIP"
    assert "externalTrafficPolicy" not in gateway, "nodes without a HAProxy drop what comes"
    for each in OVERLAYS:
        exposed = [service for service in of_kind(overlay(each), "Service") if service["spec"].get("type")]
        assert [service["spec"]["selector"]["app.kubernetes.io/name"] for service in exposed] == (
            ["gateway"] if each == "nodeport" else []
        )


@pytest.mark.parametrize("name", ["ingress", "existing-mongodb", "many-emitters"])
def test_an_ingress_routes_the_paths_of_the_sockets_exactly(name: str) -> None:
    """`/` and the sockets are two objects; each path of the emitter is whole, as a Prefix would offer all below it."""
    manifests = overlay(name)
    [api] = one(manifests, "Ingress", "api")["spec"]["rules"][0]["http"]["paths"]
    assert (api["path"], api["pathType"], api["backend"]["service"]["name"]) == ("/", "Prefix", "api")
    paths = one(manifests, "Ingress", "emitter")["spec"]["rules"][0]["http"]["paths"]
    assert {path["pathType"] for path in paths} == {"Exact"}
    assert {path["path"].removeprefix("/websocket-service") for path in paths} == {
        "", "/", "/sse", "/raw", "/assign", "/asyncapi.json", "/client.js", "/socket.io.js",
    }  # fmt: skip
    annotations = one(manifests, "Ingress", "emitter")["metadata"]["annotations"]
    assert annotations["nginx.org/websocket-services"] == "emitter"
    assert annotations["nginx.org/proxy-read-timeout"] == "1h"
    assert annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"] == "3600"
    assert ("nginx.ingress.kubernetes.io/affinity" in annotations) is (name in CLUSTERED)
    assert ("nginx.org/sticky-cookie-services" in annotations) is (name in CLUSTERED)
    for controller in ("nginx.org", "nginx.ingress.kubernetes.io"):
        retried = annotations.get(f"{controller}/proxy-next-upstream", "")
        assert ("http_503" in retried) is (name in CLUSTERED)
    # F5's controller takes a host from one Ingress alone, unless the others are its minions.
    types = [
        each["metadata"]["annotations"]["nginx.org/mergeable-ingress-type"] for each in of_kind(manifests, "Ingress")
    ]
    assert sorted(types) == ["master", "minion", "minion"]


def documented(folder: str, tmp_path: Path) -> list[Manifest]:
    """Return what a folder that the documentation shows comes to."""
    [block] = [block for block in blocks(DOCUMENTATION) if block.file == f"{folder}/kustomization.yaml"]
    (tmp_path / folder).mkdir()
    (tmp_path / "deploy").symlink_to(KUBERNETES.parent)
    (tmp_path / block.file).write_text(block.text)
    return build(tmp_path / folder)


def test_the_documented_overlay_of_ones_own_builds(tmp_path: Path) -> None:
    """Who copies it from the documentation has the names, the certificate and the images that stand there."""
    manifests = documented("storecast", tmp_path)
    assert problems(manifests, VERSIONS[-1]) == []
    assert {each["spec"]["rules"][0]["host"] for each in of_kind(manifests, "Ingress")} == {"shop.example"}
    assert one(manifests, "Ingress", "storecast")["spec"]["tls"][0]["hosts"] == ["shop.example"]
    proxies, prometheus = (one(manifests, "NetworkPolicy", name) for name in ("proxies", "prometheus"))
    [allowed] = proxies["spec"]["ingress"][0]["from"][0]["namespaceSelector"]["matchExpressions"]
    assert allowed["values"] == ["ingress-nginx"]
    assert prometheus["spec"]["ingress"][0]["from"][0]["namespaceSelector"]["matchLabels"]
    images = {container["image"] for _, container in containers(manifests)}
    assert {"registry.example/storecast-api:0.1.0", "registry.example/storecast-emitter:0.1.0"} <= images


def test_the_documented_combination_builds(tmp_path: Path) -> None:
    """The example of parts that no overlay puts together is what it says: many emitters with a MongoDB of one's own."""
    manifests = documented("combined", tmp_path)
    assert {each["metadata"]["name"] for each in of_kind(manifests, "StatefulSet")} == {"redis", "redis-sentinel"}
    assert "nginx.ingress.kubernetes.io/affinity" in one(manifests, "Ingress", "emitter")["metadata"]["annotations"]
    assert of_kind(manifests, "PodMonitor")


@pytest.mark.parametrize("emitters", [(), ("redis",)], ids=["one", "many"])
def test_tokens_of_an_identity_provider_are_taken_in_place_of_a_secret(
    emitters: tuple[str, ...], tmp_path: Path
) -> None:
    """Both services have its URL and its issuer, and no secret, with which they would not start."""
    manifests = composed(tmp_path, "existing-mongodb", *emitters, "ingress", "jwks")
    assert problems(manifests, VERSIONS[-1]) == []
    known = one(manifests, "ConfigMap", "identity-provider")["data"]
    for service, settings in SETTINGS.items():
        given = environment(pod(one(manifests, "Deployment", service))["containers"][0])
        found = {
            variable: known[value["configMapKeyRef"]["key"]]
            for variable, value in given.items()
            if isinstance(value, dict) and value.get("configMapKeyRef", {}).get("name") == "identity-provider"
        }
        assert found == {
            "STORECAST_JWKS_URL": "https://id.example/jwks",
            "STORECAST_JWT_ISSUER": "https://id.example",
            "STORECAST_JWT_AUDIENCE": "storecast",
        }
        assert not [variable for variable in given if variable.startswith("STORECAST_JWT_SECRET")]
        tokens_of(load(settings, found))


def test_the_documented_identity_provider_is_ones_own(tmp_path: Path) -> None:
    """What is put in the place of the examples is what the services are given."""
    known = one(documented("identity", tmp_path), "ConfigMap", "identity-provider")
    assert known["metadata"]["namespace"] == "storecast"
    assert known["data"]["jwks-url"].startswith(known["data"]["issuer"])
    assert known["data"]["issuer"] == "https://id.shop.example"


def test_the_documented_commands_are_about_what_there_is() -> None:
    """Each workload, secret key, label and pod that a command names is one of the overlays', and each port and file."""
    text = DOCUMENTATION.read_text()
    manifests = overlay("many-emitters")
    for kind, name in re.findall(r"\b(deployment|job)/([a-z-]+)", text):
        assert one(manifests, kind.title(), name)
    there_are = {labels(each)["app.kubernetes.io/name"] for each in workloads(manifests)}
    listed = re.findall(r"app\.kubernetes\.io/name(?:=([a-z]+)| in \((.+?)\))", text)
    selected = {name for single, several in listed for name in re.split(", *", single or several)}
    assert selected
    assert selected <= there_are
    assert set(re.findall(r"\.data\.([a-z-]+)", text)) | set(re.findall(r"^\| `([a-z-]+)` \| (?:restart|run|all)",
        text, re.MULTILINE)) <= SECRET_KEYS  # fmt: skip
    assert set(re.findall(r'"([a-z-]+-previous)\\?": (?:null|\\")', text)) == WHILE_REPLACED
    for pod_name in re.findall(r"exec (?:-i )?([a-z-]+)-0", text):
        assert one(manifests, "StatefulSet", pod_name)
    for path in re.findall(r"\bdeploy/[\w./-]+\.(?:ya?ml|json)", text):
        assert (ROOT / path).exists(), path


def test_the_documented_command_makes_a_rule_of_the_alerts() -> None:
    """What it hands to kubectl is a valid PrometheusRule with each of our alerts."""
    [command] = [block.text for block in blocks(DOCUMENTATION) if "PrometheusRule" in block.text]
    shown = re.sub(r"\| kubectl .*", "", command)
    made = subprocess.run(["sh", "-c", shown], cwd=ROOT, capture_output=True, text=True, check=True)
    rule = yaml.safe_load(made.stdout)
    assert custom.problems([rule]) == []
    assert [each["alert"] for group in rule["spec"]["groups"] for each in group["rules"]] == [
        each["alert"] for each in alerts()
    ]


def test_a_monitor_finds_the_pods_and_calls_the_jobs_as_the_alerts_do(tmp_path: Path) -> None:
    """A PodMonitor selects the pods of both services by a port that they name; relabelled, they are our jobs."""
    manifests = composed(tmp_path, "existing-mongodb", "ingress", "prometheus-operator")
    [monitor] = of_kind(manifests, "PodMonitor")
    selected = matching(manifests, monitor["spec"]["selector"])
    assert {each["metadata"]["name"] for each in selected} == set(SETTINGS)
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    assert all(endpoint["port"] in ports(each) for each in selected)
    [job] = [each for each in endpoint["relabelings"] if each["targetLabel"] == "job"]
    jobs = {job["replacement"].replace("$1", labels(each)["app.kubernetes.io/name"]) for each in selected}
    configuration = yaml.safe_load((OBSERVABILITY / "prometheus.yml").read_text())
    assert jobs == {each["job_name"] for each in configuration["scrape_configs"]}


def test_the_documented_secrets_are_those_that_are_asked_for() -> None:
    """Each key that a manifest needs is made by the documented command, and no other."""
    made = set(re.findall(r"--from-literal=([a-z-]+)=", DOCUMENTATION.read_text()))
    asked = {
        value["secretKeyRef"]["key"]
        for name in OVERLAYS
        for _, container in containers(overlay(name))
        for value in environment(container).values()
        if isinstance(value, dict) and "secretKeyRef" in value and "optional" not in value["secretKeyRef"]
    }
    assert made == asked == SECRET_KEYS
