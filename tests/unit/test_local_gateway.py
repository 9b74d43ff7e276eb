import re
from pathlib import Path

import pytest

from deploy.local import haproxy, nginx, traefik
from deploy.local.gateway import PROXIES, Choice, choose
from deploy.local.routes import Routes
from shared.errors import StartupError

ROUTES = Routes(port=8080, socket_path="/websocket-service", api_ports=[8001, 8002, 8003], emitter_ports=[9001, 9002])
ONE_EMITTER = Routes(port=8080, socket_path="/websocket-service", api_ports=[8001], emitter_ports=[9001])

NGINX_FILES = (nginx.UPSTREAMS, nginx.ONE_ORIGIN, nginx.TWO_ORIGINS)
BAD_VALUES = ["/a; return 200 'x'", "/a\n", "/a {", "}", "$host", '"', "server a:1; }", 'server a 1.2.3.4:1"', "# off"]


def test_every_variable_of_nginx_is_filled_in_and_its_own_are_kept() -> None:
    """What is left with a dollar sign is nginx's."""
    configuration = "".join(nginx.render(file, nginx.values(ROUTES)) for file in NGINX_FILES)
    assert "${" not in configuration
    assert "listen 127.0.0.1:8080;" in configuration
    assert "location ~ ^/websocket-service(/" in configuration
    assert "server 127.0.0.1:8002 max_fails=0;" in configuration
    assert "map $http_upgrade $storecast_upgrade {" in configuration
    assert r"~127\.0\.0\.1:9002$ emitter-2;" in configuration
    assert "emitter-2 127.0.0.1:9002;" in configuration


def test_nginx_has_no_cookie_for_a_single_emitter() -> None:
    """There is nothing to tell apart."""
    assert "emitter-1" not in nginx.render(nginx.UPSTREAMS, nginx.values(ONE_EMITTER))


def test_every_variable_of_haproxy_is_filled_in() -> None:
    """What is left with a dollar sign is nothing; each server has a line of its own."""
    configuration = haproxy.render(haproxy.values(ROUTES))
    assert not [line for line in configuration.splitlines() if "$" in line and not line.startswith("#")]
    assert 'bind "127.0.0.1:8080"\n' in configuration
    assert "\n  server emitter-1 127.0.0.1:9001\n  server emitter-2 127.0.0.1:9002\n" in configuration


@pytest.mark.parametrize("name", nginx.values(ROUTES))
@pytest.mark.parametrize("value", BAD_VALUES)
def test_a_value_cannot_write_nginx_configuration_of_its_own(name: str, value: str) -> None:
    """A value that could end its directive is refused by the variable's name."""
    files = [file for file in NGINX_FILES if f"${{{name}}}" in file.read_text()]
    assert files
    for file in files:
        with pytest.raises(StartupError, match=rf"^{name} has a value"):
            nginx.render(file, nginx.values(ROUTES) | {name: value})


@pytest.mark.parametrize("name", haproxy.values(ROUTES))
@pytest.mark.parametrize("value", ["", *BAD_VALUES])
def test_a_value_cannot_write_haproxy_configuration_of_its_own(name: str, value: str) -> None:
    """A value that is missing, or that could end its line, is refused by the variable's name."""
    with pytest.raises(StartupError, match=rf"^{name} has a value"):
        haproxy.render(haproxy.values(ROUTES) | {name: value})


@pytest.mark.parametrize("path", ["/a/", "//a", "websocket", "/a b", "/ä", "/a\n", "/a`", ""])
@pytest.mark.parametrize("proxy", PROXIES)
def test_a_bad_socket_path_stops_the_start_with_one_line(proxy: str, path: str, tmp_path: Path) -> None:
    """A slash at the end would make another path of it; whatever else is wrong could end the path's place."""
    routes = Routes(port=8080, socket_path=path, api_ports=[8001], emitter_ports=[9001])
    with pytest.raises(StartupError, match=r"^STORECAST_SOCKET_PATH has a value"):
        PROXIES[proxy].program(proxy, tmp_path, routes)


def test_traefik_is_told_the_addresses(tmp_path: Path) -> None:
    """It fills in its configuration by itself, from its environment."""
    environment = traefik.program("traefik", tmp_path, ROUTES).environment
    assert environment["STORECAST_EMITTER_URLS"] == "http://127.0.0.1:9001,http://127.0.0.1:9002"
    wanted = set(re.findall(r'env "(\w+)"', traefik.CONFIGURATION.read_text()))
    assert wanted == environment.keys()


@pytest.mark.parametrize("choice", ["nginx", "haproxy", "traefik"])
def test_a_gateway_that_is_missing_is_said_with_what_to_install(
    choice: Choice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for by name it is one clear line; left to `auto` there is none."""
    monkeypatch.setitem(PROXIES, choice, PROXIES[choice]._replace(find=lambda: None))
    with pytest.raises(StartupError, match=rf"^there is no {choice} .*; install .*, or use --gateway none$"):
        choose(choice)
    monkeypatch.setitem(PROXIES, "nginx", PROXIES["nginx"]._replace(find=lambda: None))
    assert choose("auto") is None
    assert choose("none") is None


@pytest.mark.parametrize("proxy", PROXIES)
def test_sockets_at_the_root_have_an_origin_of_their_own(proxy: str, tmp_path: Path) -> None:
    """The page has the other one's root; each proxy listens twice."""
    routes = Routes(port=8080, socket_path="/", api_ports=[8001], emitter_ports=[9001], sockets_port=8081)
    program = PROXIES[proxy].program(proxy, tmp_path, routes)
    written = [file.read_text() for file in tmp_path.glob("*") if file.is_file()]
    assert "127.0.0.1:8081" in " ".join([*program.command, *written])
