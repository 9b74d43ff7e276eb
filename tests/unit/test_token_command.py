"""`storecast token` and `python -m shared.identity`: two command lines with the same options."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import NamedTuple, Protocol

import jwt
import pytest

from deploy.cli import app
from shared.identity import __main__ as module
from shared.identity.identity import PRODUCTS_WRITE, Identity
from shared.serving.tokens import tokens_of
from shared.settings import ServiceSettings
from tests.processes import ROOT, environment
from tests.tokens import JWT_SECRET

EMITTER_SECRET = "a secret of the tests"
PROGRAMS = {"storecast token": (app.main, "token"), "python -m shared.identity": (module.main,)}


class Ended(NamedTuple):
    """What a command line said before it ended."""

    code: int
    stdout: str
    stderr: str


class Run(Protocol):
    """A command line, to be run with options, and settings without their prefix; None: unset."""

    def __call__(self, *options: str, **settings: str | None) -> Ended:
        """Run it."""


@pytest.fixture(params=list(PROGRAMS.values()), ids=list(PROGRAMS))
def run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """One of the two."""
    main: Callable[[], None]
    main, *command = request.param
    for name in [name for name in os.environ if name.startswith("STORECAST_")]:
        monkeypatch.delenv(name)

    def run(*options: str, **settings: str | None) -> Ended:
        for name, value in {"EMITTER_SECRET": EMITTER_SECRET, "JWT_SECRET": JWT_SECRET, **settings}.items():
            if value is not None:
                monkeypatch.setenv(f"STORECAST_{name}", value)
        monkeypatch.setattr(sys, "argv", ["program", *command, *options])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        return Ended(code, *capsys.readouterr())

    return run


async def known(token: str, **settings: str) -> Identity:
    """Return who the services take the owner of a token for."""
    given = {"emitter_secret": EMITTER_SECRET, "jwt_secret": JWT_SECRET, **settings}
    return await tokens_of(ServiceSettings.model_validate(given)).identify(token)


async def test_a_token_is_good_for_what_was_asked(run: Run) -> None:
    """The services take it, with the name and the scopes, for as long; it alone is printed, for a script to take."""
    made = run("--sub", "ann", "--scope", "products:write", "--scope", "messages:send", "--minutes", "5")

    assert (made.code, made.stderr, made.stdout.count("\n")) == (0, "", 1)
    who = await known(made.stdout.strip())
    assert (who.subject, who.scopes) == ("ann", frozenset({"products:write", "messages:send"}))
    claims = jwt.decode(made.stdout.strip(), options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 300


async def test_it_is_made_by_the_services_own_settings(run: Run) -> None:
    """Of an hour, without any scope, where nothing is said; for the audience and from the issuer that they demand."""
    made = run("--sub=ann", JWT_AUDIENCE="shop", JWT_ISSUER="https://id.example")

    who = await known(made.stdout.strip(), jwt_audience="shop", jwt_issuer="https://id.example")
    assert (who.subject, who.may(PRODUCTS_WRITE)) == ("ann", False)
    claims = jwt.decode(made.stdout.strip(), options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 3_600


@pytest.mark.parametrize(
    ("secret", "subject", "named"),
    [
        (None, "ann", "STORECAST_JWT_SECRET"),
        ("", "ann", "STORECAST_JWT_SECRET"),
        ("hunter2", "ann", "STORECAST_JWT_SECRET"),
        (JWT_SECRET, "a b", "--sub"),
    ],
)
def test_what_cannot_be_made_is_one_line(run: Run, secret: str | None, subject: str, named: str) -> None:
    """With what to change, without the secret, and no token made with one that nobody knows."""
    refused = run("--sub", subject, JWT_SECRET=secret)

    assert (refused.code, refused.stdout) == (2, "")
    [line] = refused.stderr.splitlines()
    assert named in line
    assert "hunter2" not in line


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ((), "--sub"),
        (("--sub", "ann", "--minutes", "0"), "--minutes"),
        (("--sub", "ann", "--minutes", "9" * 5_000), "--minutes"),
        (("--sub", "ann", "--minutes", "1.5"), "--minutes"),
        (("--sub", "ann", "--forever"), "--forever"),
        (("--sub", "ann", "more"), "more"),
    ],
)
def test_a_wrong_option_is_named(run: Run, options: tuple[str, ...], named: str) -> None:
    """As any command line does: exit code 2, how it is used, and what is wrong."""
    refused = run(*options)

    assert (refused.code, refused.stdout) == (2, "")
    assert named in refused.stderr.splitlines()[-1]
    assert "Traceback" not in refused.stderr


def test_help_names_the_scopes(run: Run) -> None:
    """Nobody has to look them up."""
    shown = run("--help").stdout

    for scope in ("products:write", "messages:send", "operate", "products:read"):
        assert scope in shown


def test_containers_need_no_more_than_the_services_do() -> None:
    """Their images have no library of the command line."""
    program = """
import runpy, sys
sys.modules.update(typer=None, rich=None, deploy=None)
runpy.run_module("shared.identity", run_name="__main__")
"""
    secrets = {"STORECAST_EMITTER_SECRET": EMITTER_SECRET, "STORECAST_JWT_SECRET": JWT_SECRET}
    command = [sys.executable, "-c", program, "--sub", "ann"]
    made = subprocess.run(command, env=environment(secrets), cwd=ROOT, capture_output=True, check=False)

    assert (made.returncode, made.stderr, made.stdout.count(b".")) == (0, b"", 2)
