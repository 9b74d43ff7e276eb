from pathlib import Path

import pytest

from deploy.local.gateway import TEMPLATE, nginx, render, servers
from shared.errors import StartupError

VALUES = {
    "STORECAST_LISTEN": "127.0.0.1:8080",
    "STORECAST_SOCKET_PATH": "/websocket-service",
    "STORECAST_API_SERVERS": servers([8001, 8002, 8003]),
    "STORECAST_EMITTER_SERVERS": servers([9000]),
}


def test_every_variable_is_filled_in_and_nginxs_own_are_kept() -> None:
    """What is left with a dollar sign is nginx's."""
    configuration = render(TEMPLATE.read_text(), VALUES)
    assert "${" not in configuration
    assert "listen 127.0.0.1:8080;" in configuration
    assert "location = /websocket-service {" in configuration
    assert "server 127.0.0.1:8002 max_fails=1 fail_timeout=1s;" in configuration
    assert "proxy_set_header Host $http_host;" in configuration


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("value", ["", "/a; return 200 'x'", "/a\n", "/a {", "}", "$host", '"', "server a:1; }"])
def test_a_value_cannot_write_configuration_of_its_own(name: str, value: str) -> None:
    """A value that is missing, or that could end its directive, is refused by the variable's name."""
    with pytest.raises(ValueError, match=rf"^{name} has a value"):
        render(TEMPLATE.read_text(), VALUES | {name: value})


@pytest.mark.parametrize("path", ["/", "/a/", "//a", "websocket", "/a b", "/ä", "/a\n"])
def test_a_socket_path_is_a_path_of_its_own(path: str) -> None:
    """The root would take the API's place, and a slash at the end would make another path of it."""
    with pytest.raises(ValueError, match=r"^STORECAST_SOCKET_PATH"):
        render(TEMPLATE.read_text(), VALUES | {"STORECAST_SOCKET_PATH": path})


def test_a_bad_value_stops_the_start_with_one_line(tmp_path: Path) -> None:
    """The socket path is a setting, so that a bad one is the operator's to change."""
    with pytest.raises(StartupError, match=r"^STORECAST_SOCKET_PATH has a value"):
        nginx("nginx", tmp_path, 8080, VALUES | {"STORECAST_SOCKET_PATH": "/"})
