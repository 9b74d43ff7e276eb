"""Settings as a service reads them from its environment."""

from collections.abc import Mapping
from unittest import mock

from shared.settings import PREFIX, ServiceSettings
from tests.processes import environment


def load(settings: type[ServiceSettings], given: Mapping[str, str]) -> ServiceSettings:
    """Read settings with nothing of ours in the environment but what is given; raise StartupError."""
    required = {f"{PREFIX}EMITTER_SECRET": "x" * 16}
    with mock.patch.dict("os.environ", environment({**required, **given}), clear=True):
        return settings.load()
