"""Stands in for programs that need an engine, a cluster, a registry or the port 8080: `stand_in.py PROGRAM ...`.

Each command is held to what can be had of the real program: its own parser reads the options, it reads the files. What
the command was to do with them is written to `$STAND_IN_RECORD`, for `judging.py`. Nothing but the standard library:
it is started for each command.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from importlib import metadata
from itertools import pairwise
from pathlib import Path

SECRET = "5ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2"
"""What the running system signs tokens with: the first that `openssl rand` gives a page."""

_IDENTITY = ["python", "-m", "shared.identity"]
# Docker's commands of two words.
_OF_TWO_WORDS = {"network", "node", "secret", "service", "stack"}
_COMPOSE_FILES = {"-f", "--file"}


def docker(arguments: list[str]) -> int:
    """Have Docker's client, or Compose, read the options; run what a container would, where it is ours."""
    if arguments[0] == "compose":
        return _compose(arguments[1:])
    words = 2 if arguments[0] in _OF_TWO_WORDS else 1
    command, options = arguments[:words], arguments[words:]
    _has_options("docker", command, options, usage=f"docker {' '.join(command)}")
    if "-" in options:
        sys.stdin.read()
    if command == ["stack", "deploy"]:
        _record(kind="stack", files=_values(options, {"-c"}))
    return 0


def _compose(arguments: list[str]) -> int:
    before = 0
    while arguments[before] in _COMPOSE_FILES:
        before += 2
    command, options = arguments[before], arguments[before + 1 :]
    _has_options("docker-compose", [command], options, usage=f"docker compose {command}")
    files = _values(arguments[:before], _COMPOSE_FILES) or _compose_files()
    _record(kind="compose", files=files, command=[command, *options])
    if command == "exec":
        _, service, *program = [option for option in ("", *options) if option != "-T"]
        _record(kind="service", files=files, name=service)
        return _run_ours(program)
    return 0


def _compose_files() -> list[str]:
    """Return the files that Compose looks for by itself."""
    kept = Path(".env").read_text().splitlines() if Path(".env").exists() else []
    named = dict(line.split("=", 1) for line in kept if "=" in line) | os.environ
    return named.get("COMPOSE_FILE", "docker-compose.yml").split(":")


def kubectl(arguments: list[str]) -> int:
    """Have kubectl read the options, and build or read what there is to be applied."""
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    _told("kubectl", *arguments[:cut], "--help", *arguments[cut:])
    own, program = arguments[:cut], arguments[cut + 1 :]
    verb = next(word for word in own if re.fullmatch("[a-z-]+", word) and word not in {"-n", "storecast"})
    if verb == "apply":
        for folder in _values(own, {"-k"}):
            _record(kind="manifests", text=_told("kubectl", "kustomize", folder))
        for file in _values(own, {"-f"}):
            _record(kind="manifests", text=sys.stdin.read() if file == "-" else Path(file).read_text())
    elif verb == "kustomize":
        built = _told("kubectl", *own)
        _record(kind="manifests", text=built)
        sys.stdout.write(built)
    elif verb == "create":
        _told("kubectl", *own, "--dry-run=client", "-o", "yaml")
    elif verb == "get" and "jsonpath" in own[-1]:
        is_secret = "secret" in own
        sys.stdout.write(b64encode(SECRET.encode()).decode() if is_secret else os.environ["STAND_IN_ADDRESS"])
    elif verb == "exec":
        return _run_ours(program)
    return 0


def make(arguments: list[str]) -> int:
    """Have make say what it would do: the targets are there."""
    _told("make", "--dry-run", *arguments)
    return 0


def openssl(arguments: list[str]) -> int:
    """Give the secret of the running system first, and then what is as random as it should be."""
    given = Path(os.environ["STAND_IN_RECORD"]).with_name("given")
    if given.exists():
        os.execv(_real("openssl"), ["openssl", *arguments])  # noqa: S606 - there is no shell in between
    given.touch()
    sys.stdout.write(f"{SECRET}\n")
    return 0


def npm(arguments: list[str]) -> int:
    """Install what the tests have installed, at the version that they have locked."""
    assert arguments[0] == "install", arguments
    modules = Path("node_modules")
    modules.mkdir(exist_ok=True)
    for package in arguments[1:]:
        installed = Path(os.environ["STAND_IN_MODULES"]) / package
        assert installed.exists(), package
        (modules / package).symlink_to(installed)
    return 0


def pip(arguments: list[str]) -> int:
    """Have what is named installed already, each of its extras as well."""
    assert arguments[0] == "install", arguments
    for package in arguments[1:]:
        name, _, extras = package.rstrip("]").partition("[")
        offered = metadata.metadata(name).get_all("Provides-Extra") or []
        assert set(filter(None, extras.split(","))) <= set(offered), package
    return 0


def storecast(arguments: list[str]) -> int:
    """Run the real one; `storecast up` has been run."""
    if arguments[0] != "up":
        os.execv(_real("storecast"), ["storecast", *arguments])  # noqa: S606 - there is no shell in between
    _has_options("storecast", ["up"], arguments[1:])
    sys.stdout.write(os.environ["STAND_IN_SHOWN"])
    return 0


PROGRAMS: dict[str, Callable[[list[str]], int]] = {
    each.__name__: each for each in (docker, kubectl, make, npm, openssl, pip, storecast)
}


def _run_ours(program: list[str]) -> int:
    """Run what stands in our images, as in a container that has the secrets."""
    if program[:3] != _IDENTITY:
        return 0
    environment = {**os.environ, "STORECAST_EMITTER_SECRET": f"not {SECRET}", "STORECAST_JWT_SECRET": SECRET}
    return subprocess.run([sys.executable, *program[1:]], env=environment, check=False).returncode


def _has_options(program: str, command: list[str], options: list[str], usage: str = "") -> None:
    """Fail unless the program has the command and the options: asked for help, it reads them all and does nothing."""
    told = _told(program, *command, "--help", *options)
    # Of a command that Docker does not know it tells those that there are.
    if f"Usage:  {usage}" not in told and usage:
        sys.exit(f"there is no {usage}")


def _told(program: str, *arguments: str) -> str:
    """Run the program itself, and return what it prints; fail where it fails."""
    done = subprocess.run([_real(program), *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0 or "unknown flag" in done.stderr:
        sys.exit(f"{program} {' '.join(arguments)}\n{done.stdout}{done.stderr}")
    return done.stdout


def _values(arguments: list[str], names: set[str]) -> list[str]:
    return [value for name, value in pairwise(arguments) if name in names]


def _real(program: str) -> str:
    """Return the program's path, past the one that stands in for it."""
    found = shutil.which(program, path=os.environ["STAND_IN_PATH"])
    if found is None:
        sys.exit(f"there is no {program} on this machine")
    return found


def _record(**what: object) -> None:
    with Path(os.environ["STAND_IN_RECORD"]).open("a") as record:
        record.write(f"{json.dumps(what)}\n")


if __name__ == "__main__":
    sys.exit(PROGRAMS[sys.argv[1]](sys.argv[2:]))
