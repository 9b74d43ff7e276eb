"""Whether what a page's commands were to do can be done: the files are there, go together, and are valid."""

import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from tests.compose.variants import STACKS, compose, paths, stack, variants
from tests.k8s import custom

Judge = Callable[..., Iterator[str]]


def problems(record: Path) -> list[str]:
    """Return what is wrong with what the commands have left in the record."""
    done = [json.loads(line) for line in record.read_text().splitlines()]
    return [problem for what in done for problem in _JUDGES[what.pop("kind")](**what)]


def _compose(files: list[str], command: list[str]) -> Iterator[str]:
    if tuple(files) not in {tuple(paths(variant)) for variant in variants()}:
        yield f"{command}: {files} is no combination that is tested"
    yield from _taken_by_compose(tuple(files))


def _service(files: list[str], name: str) -> Iterator[str]:
    if name not in yaml.safe_load(compose(files).stdout)["services"]:
        yield f"{files} has no service {name}"


def _stack(files: list[str]) -> Iterator[str]:
    if files not in [[f"deploy/swarm/{file}.yml" for file in names] for names in STACKS.values()]:
        yield f"{files} is no stack that is tested"
    told = stack(files)
    if told.returncode != 0:
        yield told.stderr


def _manifests(text: str) -> Iterator[str]:
    manifests = [manifest for manifest in yaml.safe_load_all(text) if manifest]
    if not manifests:
        yield "nothing is applied"
    yield from custom.problems([each for each in manifests if custom.is_custom(each)])
    for manifest in manifests:
        if not custom.is_custom(manifest) and (problem := _refused(json.dumps(manifest))):
            yield problem


_JUDGES: dict[str, Judge] = {"compose": _compose, "service": _service, "stack": _stack, "manifests": _manifests}


@functools.cache
def _taken_by_compose(files: tuple[str, ...]) -> list[str]:
    told = compose(list(files), "-q")
    return [] if told.returncode == 0 else [told.stderr]


@functools.cache
def _refused(manifest: str) -> str | None:
    # Overlays have most manifests in common, and each validation reads all of the schemas.
    given: dict[str, Any] = json.loads(manifest)
    try:
        kubernetes_validate.validate(given, kubernetes_validate.latest_version(), strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        return f"{given['kind']} {given['metadata']['name']}: {error.message}"
    return None
