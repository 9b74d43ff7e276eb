"""Which compose files go together, and what Docker makes of them; the same of the stack files for Swarm."""

import functools
import itertools
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.processes import ROOT, environment
from tests.tools import require

Config = dict[str, Any]
"""Files that were merged, as Docker understands them."""

Variant = tuple[str, ...]
"""Compose files, by their names in deploy/compose, that are added to docker-compose.yml."""

GATEWAYS: dict[str, Variant] = {
    "nginx": (),
    "haproxy": ("emitters",),
    "traefik": ("traefik",),
    "traefik of many": ("emitters", "traefik"),
}
ADDITIONS = ("mongo-members", "observability")
TOKENS: Variant = ("jwks",)
"""Whose tokens are taken has nothing to do with the other additions: it is tried with each gateway alone."""
STACKS: dict[str, Variant] = {
    "one emitter": ("stack",),
    "many emitters": ("stack", "emitters"),
    "with TLS": ("stack", "tls"),
    "many emitters with TLS": ("stack", "emitters", "tls"),
    "while the emitter secret is replaced": ("stack", "emitter-secret-previous"),
    "while the secret of the tokens is replaced": ("stack", "jwt-secret-previous"),
    "all": ("stack", "emitters", "tls", "emitter-secret-previous", "jwt-secret-previous"),
}
NEEDED = {
    "STORECAST_EMITTER_SECRET": "the-emitter-secret-of-a-test",
    "STORECAST_JWT_SECRET": "the-secret-of-the-tokens-of-a-test",
    "STORECAST_JWKS_URL": "https://id.example/jwks",
    "STORECAST_JWT_ISSUER": "https://id.example",
    "STORECAST_GRAFANA_PASSWORD": "the-password-of-a-test",
    "STORECAST_TLS_CERTIFICATE": "fullchain.pem",
    "STORECAST_TLS_KEY": "privkey.pem",
    "STORECAST_IMAGES": "registry.example/storecast",
    "STORECAST_TAG": "0.1.0",
    "STORECAST_ORIGIN": "https://shop.example",
    "STORECAST_EMITTER_SECRET_PREVIOUS_NAME": "storecast_emitter_secret_2",
    "STORECAST_JWT_SECRET_PREVIOUS_NAME": "storecast_jwt_secret_2",
}
"""What has to be set, for one file or another."""


def tls(gateway: str) -> Variant:
    """Return a gateway's variant with TLS."""
    return (*GATEWAYS[gateway], f"tls/{gateway.split(maxsplit=1)[0]}")


def variants() -> list[Variant]:
    """Return every combination of files there is."""
    fronts = [front for gateway in GATEWAYS for front in (GATEWAYS[gateway], tls(gateway))]
    added = [each for count in range(len(ADDITIONS) + 1) for each in itertools.combinations(ADDITIONS, count)]
    return [(*front, *addition) for front in fronts for addition in (*added, TOKENS)]


def paths(variant: Variant) -> list[str]:
    """Return the files of a variant, from the repository's root."""
    return ["docker-compose.yml", *(f"deploy/compose/{name}.yml" for name in variant)]


def seconds(duration: str) -> float:
    """Return a duration as Docker writes it."""
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)([hms])", duration))


def compose(files: list[str], *arguments: str, given: Mapping[str, str] = NEEDED) -> subprocess.CompletedProcess[str]:
    """Let Compose look at files, with nothing in its environment but what is given."""
    # The one beside this Python first: Debian 12's is another program by the same name.
    program = shutil.which("docker-compose", path=str(Path(sys.executable).parent)) or require(
        "docker-compose", "install Docker Compose 2.24.4 or later: Debian 13 has a package of that name"
    )
    return _run(program, *(part for file in files for part in ("-f", file)), "config", *arguments, given=given)


def stack(files: list[str], given: Mapping[str, str] = NEEDED) -> subprocess.CompletedProcess[str]:
    """Let Docker look at stack files, as `docker stack deploy` does."""
    docker = require("docker", "install Docker's client 25 or later: Debian 13 has it as docker-cli")
    return _run(docker, "stack", "config", *(part for file in files for part in ("-c", file)), given=given)


def _run(*command: str, given: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, env=environment(given), capture_output=True, text=True, check=False)


@functools.cache
def _read(variant: Variant, given: tuple[tuple[str, str], ...]) -> str:
    read = compose(paths(variant), "--format", "json", given=dict(given))
    assert read.returncode == 0, read.stderr
    # It is written so that it can be read again: each dollar twice.
    return read.stdout.replace("$$", "$")


def config(variant: Variant, **given: str) -> Config:
    """Return what a variant comes to; each caller has its own."""
    read: Config = json.loads(_read(variant, tuple({**NEEDED, **given}.items())))
    return read


def stack_config(name: str) -> Config:
    """Return what a stack comes to."""
    read = stack([f"deploy/swarm/{file}.yml" for file in STACKS[name]])
    assert read.returncode == 0, read.stderr
    merged: Config = yaml.safe_load(read.stdout)
    return merged
