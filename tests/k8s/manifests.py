"""What `kubectl kustomize` makes of the overlays, and how to find things in it."""

import functools
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.processes import ROOT
from tests.tools import require

KUBERNETES = ROOT / "deploy" / "k8s"
OVERLAYS = sorted(path.parent.name for path in KUBERNETES.glob("overlays/*/kustomization.yaml"))
CLUSTERED = ("many-emitters", "traefik")
"""The overlays with many emitters."""

Manifest = dict[str, Any]

_HAS_PODS = ("Deployment", "StatefulSet", "Job")


def build(folder: Path) -> list[Manifest]:
    """Return the manifests of a kustomization."""
    kubectl = require("kubectl", "install kubectl 1.25 or later: Debian 13 has a package of that name")
    built = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return [manifest for manifest in yaml.safe_load_all(built.stdout) if manifest]


@functools.cache
def _overlay(name: str) -> str:
    return json.dumps(build(KUBERNETES / "overlays" / name))


def overlay(name: str) -> list[Manifest]:
    """Return the manifests of an overlay; each caller has its own."""
    manifests: list[Manifest] = json.loads(_overlay(name))
    return manifests


def of_kind(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    """Return those of some kinds."""
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def one(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    """Return the one of this kind and name."""
    [found] = [manifest for manifest in of_kind(manifests, kind) if manifest["metadata"]["name"] == name]
    return found


def workloads(manifests: list[Manifest]) -> list[Manifest]:
    """Return what makes pods."""
    return of_kind(manifests, *_HAS_PODS)


def pod(workload: Manifest) -> Manifest:
    """Return the pods' specification."""
    spec: Manifest = workload["spec"]["template"]["spec"]
    return spec


def labels(workload: Manifest) -> dict[str, str]:
    """Return the pods' labels."""
    found: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return found


def containers(manifests: list[Manifest]) -> Iterator[tuple[Manifest, Manifest]]:
    """Yield each container that stays, with what makes its pods."""
    for workload in workloads(manifests):
        for container in pod(workload)["containers"]:
            yield workload, container


def environment(container: Manifest) -> dict[str, Any]:
    """Return a container's variables: each one's value, or where it comes from."""
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container.get("env", [])}


def grace(workload: Manifest) -> float:
    """Return how many seconds there are between SIGTERM at the earliest and SIGKILL."""
    [container] = pod(workload)["containers"]
    pause = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
    assert pause[0] == "sleep"
    return float(pod(workload)["terminationGracePeriodSeconds"]) - float(pause[1])
