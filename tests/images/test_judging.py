from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import pytest

from tests.images import contents, docker_dns, names
from tests.images.build import as_file
from tests.images.compose import adapted
from tests.images.job import Verdict, verdict
from tests.processes import ROOT

HEARD = {
    "each once and in order": ("abcd", Verdict(0, 0, 0)),
    "one is lost": ("abd", Verdict(1, 0, 0)),
    "one is heard twice": ("abbcd", Verdict(0, 1, 0)),
    "one is heard twice, and late": ("abcdb", Verdict(0, 1, 0)),
    "two change places": ("acbd", Verdict(0, 0, 1)),
    "nothing": ("", Verdict(4, 0, 0)),
}


@pytest.mark.parametrize(("heard", "expected"), HEARD.values(), ids=HEARD)
def test_what_clients_heard_is_held_against_what_was_created(heard: str, expected: Verdict) -> None:
    """What is lost, doubled or out of order is counted."""
    assert verdict("abcd", heard) == expected


def test_compose_files_are_changed_only_where_podman_cannot_take_them() -> None:
    """What is proved of the changed file holds for the one that is deployed."""
    kept: dict[str, Any] = {"image": "a", "read_only": True, "environment": {"B": "c"}}
    check = {"test": ["CMD", "mongosh", "--eval", "quit(a ? 0 : 1)"], "interval": "2s", "start_interval": "1s"}
    config = {
        "name": "storecast",
        "services": {
            "a": {
                **kept,
                "build": {"context": "."},
                "ulimits": {"nofile": 9},
                "healthcheck": check,
                "networks": {"b": None},
            }
        },
        "networks": {"b": {"internal": True}},
    }
    assert adapted(config) == {
        "name": "storecast",
        "services": {
            "a": {
                **kept,
                "healthcheck": {"test": ["CMD-SHELL", "mongosh --eval 'quit(a ? 0 : 1)'"], "interval": "2s"},
                "networks": {"b": None},
            }
        },
        "networks": {"b": {"internal": True}},
    }
    assert "start_interval" in check  # what was given is left alone


def test_settings_of_pip_are_handed_on_as_they_count() -> None:
    """Of a setting in several places the last one that pip tells is in force; a list goes over several lines."""
    listed = (
        "global.index-url='https://one.example'\nglobal.find-links='/a\\n/b'\n:env:.index-url='https://two.example'\n"
    )
    listed += "global.constraint='/of/this/machine.txt'\n"
    assert as_file(listed) == "[global]\nindex-url = https://two.example\nfind-links = /a\n  /b\n"


def test_whoever_is_asked_for_a_name_one_server_answers() -> None:
    """Docker's address and podman's, and with an address to which the answer finds its way."""
    assert docker_dns.rules("10.89.0.1").splitlines() == [
        "*nat",
        "-A OUTPUT -p udp --dport 53 -j DNAT --to-destination 10.89.0.1:5053",
        "-A POSTROUTING -s 127.0.0.0/8 -d 10.89.0.1 -j MASQUERADE",
        "COMMIT",
    ]


NETWORKS = {
    "shop_data": "10.89.0.1\naa 10.89.0.2  shop-mongo-1,mongo\nbb 10.89.0.3  shop-api-1,api\n",
    "shop_services": "10.89.1.1\nbb 10.89.1.2  shop-api-1,api\ncc 10.89.1.3  shop-gateway-1,gateway\ndd 10.8",
    "aardvark.pid": "135",
}
ASKED = {
    "in the one network of both": ("10.89.0.2", "api", ["10.89.0.3"]),
    "in any network of who asks": ("10.89.1.2", "mongo", ["10.89.0.2"]),
    "in a network of others": ("10.89.1.3", "mongo", None),
    "unknown": ("10.89.1.3", "example.com", None),
    "by a stranger": ("192.0.2.1", "api", None),
}


@pytest.mark.parametrize(("asker", "name", "expected"), ASKED.values(), ids=ASKED)
def test_a_container_is_told_what_is_in_its_networks(
    tmp_path: Path, asker: str, name: str, expected: list[str] | None
) -> None:
    """As Docker does; what podman has not written to its end is not there yet."""
    for file, text in NETWORKS.items():
        (tmp_path / file).write_text(text)
    question = dns.message.make_query(name, "A").to_wire()
    answer = dns.message.from_wire(names.answer(question, asker, tmp_path))
    assert answer.rcode() == (dns.rcode.NOERROR if expected else dns.rcode.NXDOMAIN)
    assert [each.address for rrset in answer.answer for each in rrset] == (expected or [])


def make(root: Path, *files: str) -> None:
    """Put empty files into the root file system of an image."""
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    for path in root.rglob("*"):
        path.chmod(0o755)  # whatever the umask is


def test_compilers_and_installers_are_found(tmp_path: Path) -> None:
    """By whatever version they go, as programs, as packages, and as what they could be made from."""
    found = {"usr/bin/gcc-12", "usr/bin/cc", "usr/local/bin/pip3.11", "usr/lib/python3/ensurepip/_bundled/pip-23.whl"}
    make(tmp_path, *found, "usr/bin/python3.11", "usr/bin/ccache", "opt/storecast/lib/uvicorn/__init__.py")
    make(tmp_path, "usr/local/lib/python3.11/site-packages/setuptools/__init__.py")
    expected = {tmp_path / file for file in found}
    expected.add(tmp_path / "usr/local/lib/python3.11/site-packages/setuptools")
    assert set(contents.installers(tmp_path)) == expected


def test_a_file_that_is_not_the_services_is_found(tmp_path: Path) -> None:
    """Of the other service, hidden, or not in the project; its bytecode is the service's own."""
    own = ("shared/events.py", "api_service/__main__.py", "api_service/__pycache__/app.cpython-311.pyc")
    strangers = {"ws_service/app.py", "api_service/.env", "api_service/dump.json"}
    make(tmp_path, *own, *strangers)
    assert (ROOT / "ws_service" / "app.py").exists()
    files = {str(path) for path in contents.strange(tmp_path, "api") if (tmp_path / path).is_file()}
    assert files == strangers


def test_a_program_that_its_user_cannot_read_or_can_change_is_found(tmp_path: Path) -> None:
    """Whatever the umask was of whoever has built it."""
    make(tmp_path, "app/shared/readable.py", "app/shared/private.py", "opt/storecast/writable.py")
    (tmp_path / "app/shared/private.py").chmod(0o600)
    (tmp_path / "opt/storecast/writable.py").chmod(0o666)
    found = {path.name for path in contents.unsafe(tmp_path)}
    assert found == {"private.py", "writable.py"}
