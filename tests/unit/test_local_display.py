import dataclasses
import io
from pathlib import Path

import pytest
from rich.console import Console

from deploy.local.child import Program
from deploy.local.data_dir import DataDir
from deploy.local.display import Display
from deploy.local.readiness import Missing
from deploy.local.system import System
from deploy.local.urls import masked_url

SYSTEM = System(
    mongo_url="mongodb://user:hunter2@db/storecast",
    mongods=[],
    emitters=[Program("emitter-1", "http://127.0.0.1:9000", ())],
    replicas=[Program("api-1", "http://127.0.0.1:8080", ())],
    gateway=None,
    socket_path="/websocket-service",
)


def shown(system: System, *, terminal: bool) -> str:
    """Return all that a display writes in a run."""
    output = io.StringIO()
    with Display(Console(file=output, force_terminal=terminal, width=40)) as display:
        display.started(system.front)
        display.waiting(Missing("api-1", "is [not] ready"))
        display.ready(system, DataDir(Path("/data [1]")))
        display.accident("api-1 was ended by SIGKILL")
        display.stopping()
    return output.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_the_ready_line_is_plain_and_alone(*, terminal: bool) -> None:
    """Other programs wait for it: no colour in it, nothing beside it, on a terminal as in a pipe."""
    assert "\nready http://127.0.0.1:8080\n" in shown(SYSTEM, terminal=terminal)


def test_a_pipe_gets_plain_text() -> None:
    """No colours and no spinner; no address is broken over two lines, no password is shown."""
    text = shown(SYSTEM, terminal=False)
    assert "\x1b" not in text
    assert "hunter2" not in text
    assert "mongodb://***@db/storecast" in text
    assert "  sockets     http://127.0.0.1:9000/websocket-service\n" in text
    assert "process ids in /data [1]/run, output in /data [1]/log\n" in text
    assert "  stop        Ctrl-C\n" in text
    assert text.endswith("api-1 was ended by SIGKILL\nstopping\n")


def test_a_missing_gateway_is_said_with_what_to_install() -> None:
    """Two origins are nothing that goes wrong in silence; with a gateway there is nothing to say."""
    assert "two origins; to have one, install nginx (`apt-get install nginx-light`)" in shown(SYSTEM, terminal=False)
    with_gateway = dataclasses.replace(SYSTEM, gateway=Program("gateway", "http://127.0.0.1:8080", ()))
    assert "two origins" not in shown(with_gateway, terminal=False)


@pytest.mark.parametrize(
    ("url", "fit_to_show"),
    [
        ("mongodb://a:1/x", "mongodb://a:1/x"),
        ("mongodb://u:p@a,b/x?y=z", "mongodb://***@a,b/x?y=z"),
        ("redis://:pa@ss@h", "redis://***@h"),
        ("mongodb://h/?tlsCertificateKeyFilePassword=p&y=z", "mongodb://h/?tlsCertificateKeyFilePassword=***&y=z"),
        ("mongodb+srv://u:p%40@a/x", "mongodb+srv://***@a/x"),
    ],
)
def test_a_url_without_its_password(url: str, fit_to_show: str) -> None:
    """What names the user is left out, up to the last @, and so is what a parameter names a password."""
    assert masked_url(url) == fit_to_show
