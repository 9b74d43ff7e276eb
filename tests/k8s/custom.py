"""Whether custom resources are what their definitions say: by their models from npm, and field by field.

The models take a field that they do not know. The types that they come with name all fields there are.
"""

import functools
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.k8s.manifests import Manifest
from tests.tools import require

_HERE = Path(__file__).parent
_MODULES = _HERE.parent / "node_modules"
_TYPES = {
    "traefik.io": "@kubernetes-models/traefik",
    "gateway.networking.k8s.io": "@kubernetes-models/gateway-api",
    "monitoring.coreos.com": "@kubernetes-models/prometheus-operator",
}
_CLASS = re.compile(r"export declare class \w+ extends .*?\{\n(.*?)^\}", re.DOTALL | re.MULTILINE)
_FIELD = re.compile(r'^    "(\w+)"\??: (.*)', re.MULTILINE)
_TYPE = re.compile(r"(?:Array<)?(I\w+)>?;")


def is_custom(manifest: Manifest) -> bool:
    """Whether Kubernetes itself does not know such a resource."""
    return manifest["apiVersion"].partition("/")[0] in _TYPES


def problems(manifests: list[Manifest]) -> list[str]:
    """Return what is wrong with custom resources."""
    validated = subprocess.run(
        [require("node", "install Node.js"), str(_HERE / "validate.mjs")],
        input=json.dumps(manifests),
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[str] = json.loads(validated.stdout)
    return found + [f"{manifest['kind']}: no field {field}" for manifest in manifests for field in _unknown(manifest)]


def _unknown(manifest: Manifest) -> Iterator[str]:
    group, _, version = manifest["apiVersion"].partition("/")
    types = _MODULES / _TYPES[group] / group / version / f"{manifest['kind']}.d.ts"
    if types.exists():
        yield from _beyond(types, manifest, "")


def _beyond(types: Path, value: Any, path: str) -> Iterator[str]:
    """Yield the fields of a value that its type has not."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _beyond(types, item, f"{path}[{index}]")
        return
    known = _fields(types)
    if known is None or not isinstance(value, dict):
        return
    for name, item in value.items():
        if name not in known:
            yield f"{path}.{name}"
        elif (of := known[name]) is not None:
            yield from _beyond(of, item, f"{path}.{name}")


@functools.cache
def _fields(types: Path) -> dict[str, Path | None] | None:
    """Return a type's fields, each with the file of its own type if it has fields too; None for a simple type."""
    text = types.read_text()
    body = _CLASS.search(text)
    if body is None:
        return None
    return {name: _file_of(types, text, of) for name, of in _FIELD.findall(body[1])}


def _file_of(types: Path, text: str, of: str) -> Path | None:
    name = _TYPE.fullmatch(of)
    imported = re.search(rf'import \{{ {name[1]} \}} from "(.+)"', text) if name else None
    if imported is None:
        return None
    target = imported[1].removesuffix(".js") + ".d.ts"
    return (types.parent / target).resolve() if target.startswith(".") else _MODULES / target
