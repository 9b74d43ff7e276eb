from pathlib import Path

import pytest

from deploy.local.mongod import find_mongod, names, url
from shared.errors import StartupError
from tests.unit.programs import put_on_path


def test_a_mongod_on_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has installed MongoDB runs that one."""
    program = put_on_path(tmp_path / "mongod", monkeypatch, "echo db version v7.0.14")
    assert find_mongod() == program


def test_the_wheel_is_the_fallback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one on PATH, the mongod from the package index is found and runs."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_mongod().parts[-4:] == ("fiftyone", "db", "bin", "mongod")


def test_without_any_mongod_the_ways_out_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line with every fix: install it, install the wheel, or name a running one."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StartupError, match=r"^there is no mongod on PATH; .*pip install .*--mongo-url$"):
        find_mongod(wheel="no-distribution-has-this-name")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo db version v5.0.31", r"is too old \(db version v5.0.31\); install MongoDB 6.0 or later"),
        ("echo libcurl.so.4: cannot open >&2; exit 127", "does not run: libcurl.so.4: cannot open; install what it"),
        ("echo nonsense", "does not run: nonsense; install what it lacks"),
    ],
)
def test_a_mongod_that_will_not_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str) -> None:
    """Too old, or without a library that it needs: said before anything is started."""
    put_on_path(tmp_path / "mongod", monkeypatch, script)
    with pytest.raises(StartupError, match=message):
        find_mongod()


def test_a_mongod_that_cannot_be_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program for another machine is one line, not a traceback."""
    put_on_path(tmp_path / "mongod", monkeypatch, "").write_bytes(b"\x00 no program")
    with pytest.raises(StartupError, match=r"does not run .*Exec format error"):
        find_mongod()


def test_the_names_of_the_members() -> None:
    """A single member needs no number."""
    assert names(1) == ["mongod"]
    assert names(3) == ["mongod-1", "mongod-2", "mongod-3"]


def test_the_url_names_every_member() -> None:
    """A driver finds the primary through whichever member answers."""
    assert url(["127.0.0.1:1", "127.0.0.1:2"]) == "mongodb://127.0.0.1:1,127.0.0.1:2/storecast?replicaSet=rs0"
