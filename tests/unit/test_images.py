"""What breaks in the images without anybody noticing before they are used; `make test-images` builds and runs them."""

import importlib.util
import json
import re
import shlex
from collections.abc import Iterator
from typing import NamedTuple

import pytest
import yaml

from shared.version import VERSION
from tests.images.alone import HARDENED
from tests.images.build import NAMES
from tests.images.job import VARIANTS
from tests.images.stand_ins import PYTHON, TARGETS
from tests.processes import ROOT

DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile"
COMPOSE_FILES = {file for variant in VARIANTS.values() for file in variant.files}


class Step(NamedTuple):
    """One instruction of the Dockerfile, and the stage that it stands in."""

    stage: str
    instruction: str
    argument: str


def steps(*instructions: str) -> list[Step]:
    """Return the instructions of these kinds, in their order."""
    return [step for step in _steps() if step.instruction in instructions]


def _steps() -> Iterator[Step]:
    lines = [line for line in DOCKERFILE.read_text().splitlines() if line and not line.startswith("#")]
    stage = ""
    for line in re.sub(r"\s*\\\n\s*", " ", "\n".join(lines)).splitlines():
        instruction, _, argument = line.partition(" ")
        if instruction == "FROM":
            stage = argument.rpartition(" AS ")[2]
        yield Step(stage, instruction, argument)


def taken_from_the_project() -> list[str]:
    """Return what is copied out of the build's context."""
    copies = [shlex.split(step.argument) for step in steps("COPY") if not step.argument.startswith("--from=")]
    return [source for *sources, _ in copies for source in sources]


def bases() -> dict[str, str]:
    """Return what each stage begins with, unless a build names another base."""
    return {
        step.stage: step.argument.partition(" AS ")[0].replace("$BASE", arguments()["BASE"]) for step in steps("FROM")
    }


def arguments() -> dict[str, str]:
    """Return what a build may name, and what it is if it does not."""
    return {name: value for name, _, value in (step.argument.partition("=") for step in steps("ARG"))}


def test_what_is_copied_is_there() -> None:
    """A folder that was renamed ends `make test` and not somebody's build."""
    sources = taken_from_the_project()
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_what_is_copied_between_stages_was_made_there() -> None:
    """A stage's name, or a folder's, that was changed in one place is found."""
    made = {"/opt/storecast", *(f"/app/{source.rstrip('/')}" for source in taken_from_the_project())}
    for step in steps("COPY"):
        option, source, *_ = shlex.split(step.argument)
        if option.startswith("--from="):
            assert option == "--from=build"
            assert source in made


def test_only_what_is_copied_reaches_a_build() -> None:
    """Nothing else of the folder can end up in an image: no data, no secret; nor can a hidden file between the code."""
    first, *patterns = [
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")
    ]
    let_in = [pattern.removeprefix("!") for pattern in patterns if pattern.startswith("!")]
    assert first == "*"
    assert sorted(let_in) == sorted(taken_from_the_project())
    # The last pattern that matches counts.
    assert patterns[len(let_in) :] == ["**/.*", "**/__pycache__/"]


def test_the_lock_is_all_that_is_installed() -> None:
    """Each package has its version and its hash in the lock; nothing is compiled, nothing comes from elsewhere."""
    installs = [
        step.argument
        for step in steps("RUN")
        if re.search(r"(?<![\w-])(pip|apt-get|apk|npm|curl|wget) ", step.argument)
    ]
    install, uninstall = installs
    assert {"--require-hashes", "--no-deps", "--only-binary", "-r"} < set(install.split())
    assert install.endswith(" -r requirements.lock")
    assert uninstall.startswith("pip uninstall ")
    assert [source for source in taken_from_the_project() if "requirements" in source] == ["requirements.lock"]


@pytest.mark.parametrize("name", NAMES)
def test_each_image_runs_a_module_that_is_there_as_a_user_without_a_name(name: str) -> None:
    """Kubernetes can tell that 10001 is not root, which it cannot of a name; the command gets its signals itself."""
    assert bases()[name] == "service"
    users = [step.argument for step in steps("USER") if step.stage in {name, "service"}]
    assert users == ["10001:10001"]
    [command] = [json.loads(step.argument) for step in steps("CMD") if step.stage == name]
    interpreter, option, module = command
    assert (interpreter, option) == ("python", "-m")
    assert importlib.util.find_spec(f"{module}.__main__") is not None
    copied = [step.argument.split()[-1] for step in steps("COPY") if step.stage in {name, "service"}]
    assert {f"{module}/", "shared/"} < set(copied)


def test_no_stage_has_a_secret() -> None:
    """What stands in an image can be read by everyone who can pull it; a required setting has no default there."""
    named = [re.split(r"[= ]", step.argument)[0] for step in steps("ARG")]
    named += [name for step in steps("ENV") for name in re.findall(r"(\w+)=", step.argument)]
    assert named
    assert [name for name in named if re.search("SECRET|PASSWORD|TOKEN|KEY|_URL", name)] == []


def test_the_labels_say_what_it_is() -> None:
    """Title, description, licence, version, commit and time; the version is the program's own unless a build names one.

    Of its commit and its time a build alone can tell, as the documents show.
    """
    told = {name: value for name, value in arguments().items() if name != "BASE"}
    assert told == {"VERSION": VERSION, "REVISION": "", "CREATED": ""}
    document = (ROOT / "docs" / "containers.md").read_text()
    assert [name for name in arguments() if f"--build-arg {name}=" not in document] == []
    for name in NAMES:
        labels = " ".join(step.argument for step in steps("LABEL") if step.stage in {name, "service"})
        found = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]+)"', labels))
        assert found.keys() == {"title", "description", "licenses", "version", "revision", "created"}
        assert (found["licenses"], found["version"]) == ("MIT", "$VERSION")
        assert (found["revision"], found["created"]) == ("$REVISION", "$CREATED")


def test_each_public_image_has_a_stand_in() -> None:
    """`make test-images` uses the names that the Dockerfile and the compose files use; a new one needs its stand-in."""
    public = {base for base in bases().values() if base not in bases()}
    assert public == {PYTHON.removeprefix("docker.io/library/")}
    composed = {
        image
        for file in COMPOSE_FILES
        for image in re.findall(r"^ +image: (?!storecast-)(\S+)", (ROOT / file).read_text(), re.MULTILINE)
    }
    assert {f"docker.io/library/{image}" for image in composed | public} == set(TARGETS.values())


def test_what_is_recommended_is_what_is_tried() -> None:
    """The flags of docs/containers.md are those with which `make test-images` starts the images."""
    [flags] = re.findall(r"^hardened='(.+)'$", (ROOT / "docs" / "containers.md").read_text(), re.MULTILINE)
    assert set(flags.split()) == set(HARDENED) - {"--read-only-tmpfs=false"}


def test_compose_builds_the_images_of_the_dockerfile() -> None:
    """Each service that is built names a stage that is there."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    builds = [service["build"] for service in services.values() if "build" in service]
    assert sorted(build["target"] for build in builds) == sorted(NAMES)
    assert {ROOT / build["context"] / build["dockerfile"] for build in builds} == {DOCKERFILE}
