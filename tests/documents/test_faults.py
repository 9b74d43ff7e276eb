"""A fault in a document is found: the tests of the documents are real ones."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.documents.judging import problems
from tests.documents.markdown import anchors, blocks, in_backticks, links
from tests.documents.output import begun, differences, said
from tests.documents.session import Place, Session
from tests.documents.test_names import are_there, files


@asynccontextmanager
async def session_of(text: str, folder: Path) -> AsyncIterator[Session]:
    """Begin a session of a page in which nothing runs."""
    page = folder / "page.md"
    page.write_text(text)
    place = Place({}, {"STAND_IN_ADDRESS": "", "STAND_IN_SHOWN": ""})
    async with Session.of(blocks(page), folder, place) as session:
        yield session


@pytest.mark.parametrize(
    "command",
    [
        "false",
        "echo $NOWHERE_SET",
        "false | true",
        "make no-such-target",
        "storecast up --no-such-option",
        "docker run --no-such-option storecast-api",
        "docker secret no-such-command",
        "docker compose up --no-such-option",
        "kubectl -n storecast rollout status --no-such-option deployment/api",
        "kubectl apply -k deploy/k8s/no-such-overlay",
        "npm install no-such-package",
        "pip install 'python-socketio[no-such-extra]'",
    ],
)
async def test_a_command_that_fails_is_found(command: str, tmp_path: Path) -> None:
    """Also where the program itself is not started: its own parser refuses the option, its own reader the file."""
    async with session_of(f"```sh\n{command}\n```\n", tmp_path) as session:
        [block] = blocks(tmp_path / "page.md")
        with pytest.raises(AssertionError, match=r"page.md:1 failed"):
            await session.run(block)


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("docker compose -f deploy/compose/traefik.yml up", "is no combination that is tested"),
        ("docker compose exec nobody true", "has no service nobody"),
        ("docker stack deploy -c deploy/swarm/tls.yml storecast", "is no stack that is tested"),
        ("echo '{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {port: 1}}' | kubectl apply -f -", "port"),
    ],
)
async def test_what_cannot_be_done_is_found(command: str, problem: str, tmp_path: Path) -> None:
    """Options that are right, of files that do not go together, or that are not what they are for."""
    async with session_of(f"```sh\n{command}\n```\n", tmp_path) as session:
        [block] = blocks(tmp_path / "page.md")
        await session.run(block)
        assert [found for found in problems(session.record) if problem in found]


def test_an_output_is_held_to_what_is_printed() -> None:
    """A line too few or too many, and another word, are found; what is left out may be anything, within its line."""
    printed = "one 1\ntwo 2\nthree\n"
    for shown in ("one 1\ntwo 2\nthree", "one ...\n...\nthree\n", "one <number>\ntwo 2\n...\n"):
        assert said(shown, printed), shown
        assert begun(shown, f"before\n{printed}after\n"), shown
    for shown in ("one 1\n", "one 1\ntwo 3\nthree\n", "one ...\nthree\n", "...\nfour\n"):
        assert not said(shown, printed), shown


def test_an_answer_is_held_to_its_example() -> None:
    """Another field, another kind of value, a list that is empty; other values are what an example is for."""
    example = {"a": 1, "b": [{"c": "x"}], "d": None}
    assert differences(example, {"a": 2, "b": [{"c": "y"}, {"c": "z"}], "d": None}) == []
    for answer in (
        {"a": "1", "b": [{"c": "x"}], "d": None},
        {"a": 1, "b": [], "d": None},
        {"a": 1, "b": [{}], "d": None},
        {"a": 1, "b": [{"c": "x"}], "d": None, "e": 1},
        {"a": 1, "b": [{"c": "x"}], "d": 1},
    ):
        assert len(differences(example, answer)) == 1, answer


def test_what_a_page_points_at_is_found(tmp_path: Path) -> None:
    """Whatever it is written in: and no comment of a script is taken for a heading, no code for a link."""
    page = tmp_path / "page.md"
    page.write_text(
        "# One, two\n[a](b.md#c) ![d](e.svg) <img src='f.png'>\n\n"
        "    # no heading\n\n1. in a list, `api_service/app.py`\n   ```sh file\n   [g](h)\n   ```\n"
    )
    assert list(anchors(page)) == ["one-two"]
    assert links(page) == ["b.md#c", "e.svg", "f.png"]
    assert in_backticks(page) == ["api_service/app.py"]
    assert [(block.language, block.file, block.text) for block in blocks(page)] == [
        ("", "", "# no heading\n"),
        ("sh", "file", "[g](h)\n"),
    ]


def test_a_file_that_is_not_there_is_found() -> None:
    """By its whole path or by its end, at a slash; a star is any name."""
    there = files()
    for name in ("api_service/app.py", "products/schemas.py", "schemas.py", "deploy/swarm/*.yml", "docs/decisions/"):
        assert are_there(name, there), name
    for name in ("api_service/apps.py", "emas.py", "deploy/swarm/*.json", f"tests{os.sep}nowhere/"):
        assert not are_there(name, there), name
