import socket

import pytest

from shared.serving.listener import listen
from shared.settings import ServiceSettings


def settings(host: str) -> ServiceSettings:
    return ServiceSettings.model_validate({"host": host, "port": 0, "emitter_secret": "x" * 16})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_a_service_listens_where_it_is_told_to(host: str) -> None:
    """By name, and by an address of either version of IP."""
    with listen(settings(host)) as listener, socket.create_connection(listener.getsockname()[:2], timeout=30):
        assert listener.getsockname()[0] in {"127.0.0.1", "::1"}
