import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from api_service.settings import Settings as ApiSettings
from shared.errors import StartupError
from shared.settings import MIN_SECRET_LENGTH, PREFIX, ServiceSettings
from tests.observability import ROOT
from ws_service.settings import Settings as EmitterSettings

SECRET = "s" * MIN_SECRET_LENGTH
_NAMES = re.compile(rf"`({PREFIX}[A-Z_]+)`")
SERVICES: list[type[ServiceSettings]] = [ApiSettings, EmitterSettings]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test sets, whatever the environment of whoever runs it has."""
    for field in {*ApiSettings.model_fields, *EmitterSettings.model_fields}:
        monkeypatch.delenv(f"STORECAST_{field.upper()}", raising=False)
    monkeypatch.setenv("STORECAST_EMITTER_SECRET", SECRET)


def test_the_api_runs_with_nothing_but_the_secret() -> None:
    """Each other setting has a default that fits one machine, on loopback."""
    settings = ApiSettings.load()

    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.mongo_url.get_secret_value() == "mongodb://127.0.0.1:27017/storecast"
    assert (settings.emitter_url, settings.public_ws_url) == ("http://127.0.0.1:9000", "")
    assert settings.socket_path == "/websocket-service"


def test_the_emitter_runs_with_nothing_but_the_secret() -> None:
    """On loopback, for pages of its own origin, with a heartbeat that proxies do not cut."""
    settings = EmitterSettings.load()

    assert (settings.host, settings.port) == ("127.0.0.1", 9000)
    assert settings.allowed_origins == ()
    assert settings.ping_interval_ms < 60_000


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefix `STORECAST_`; a list is JSON; a trailing slash of a URL means nothing."""
    monkeypatch.setenv("STORECAST_PORT", "8123")
    monkeypatch.setenv("STORECAST_INSTANCE", "api-2")
    monkeypatch.setenv("STORECAST_EMITTER_URL", "https://emitter.internal:9000/")
    monkeypatch.setenv("STORECAST_ALLOWED_ORIGINS", '["https://shop.example"]')

    api, emitter = ApiSettings.load(), EmitterSettings.load()

    assert (api.port, api.instance, api.emitter_url) == (8123, "api-2", "https://emitter.internal:9000")
    assert emitter.allowed_origins == ("https://shop.example",)


def test_there_may_be_several_emitters(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API is told of all of them, with commas between their URLs."""
    monkeypatch.setenv("STORECAST_EMITTER_URL", "http://a:9000/, http://b:9000")

    assert ApiSettings.load().emitter_urls == ["http://a:9000", "http://b:9000"]


@pytest.mark.parametrize("service", SERVICES)
def test_the_secret_is_required(service: type[ServiceSettings], monkeypatch: pytest.MonkeyPatch) -> None:
    """No service runs with a secret that everybody knows."""
    monkeypatch.delenv("STORECAST_EMITTER_SECRET")

    with pytest.raises(StartupError, match=r"^STORECAST_EMITTER_SECRET: Field required$"):
        service.load()


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of secrets, which has one; the environment has none."""
    monkeypatch.delenv("STORECAST_EMITTER_SECRET")
    monkeypatch.setattr("shared.settings.SECRETS", tmp_path)
    (tmp_path / "storecast_emitter_secret").write_text(f"{SECRET}\n")
    return tmp_path


@pytest.mark.parametrize("service", SERVICES)
def test_a_setting_may_be_a_mounted_secret(service: type[ServiceSettings], secrets: Path) -> None:
    """As Docker mounts it: a file by the variable's name, with or without a line end."""
    (secrets / "storecast_mongo_url").write_text("mongodb://u:hunter2@h/db")

    assert service.load().emitter_secret.get_secret_value() == SECRET
    assert ApiSettings.load().mongo_url.get_secret_value() == "mongodb://u:hunter2@h/db"


@pytest.mark.usefixtures("secrets")
def test_a_variable_counts_before_a_mounted_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an operator sets for one run is what it runs with."""
    monkeypatch.setenv("STORECAST_EMITTER_SECRET", "another secret of them")

    assert ApiSettings.load().emitter_secret.get_secret_value() == "another secret of them"


def test_a_mounted_secret_that_cannot_be_used_is_refused_and_not_shown(secrets: Path) -> None:
    """One line that names it, whether it can be read or not; another's file beside it is nothing to us."""
    (secrets / "other").mkdir()
    (secrets / "storecast_emitter_secret").write_text("hunter2")
    with pytest.raises(StartupError, match=r"^STORECAST_EMITTER_SECRET: must have at least 16 characters$"):
        ApiSettings.load()

    (secrets / "storecast_emitter_secret").write_bytes(b"hunter2-hunter2-\xff")
    with pytest.raises(StartupError, match=r"^[^\n]*emitter_secret[^\n]*$") as refused:
        ApiSettings.load()
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("", "must have at least 16 characters"),
        ("hunter2-hunter2", "must have at least 16 characters"),
        ("hunter2-hunter2-hunter2\n", "printable ASCII"),
        (" hunter2-hunter2-hunter2", "printable ASCII"),
        ("hunter2-hunter2-\x7f", "printable ASCII"),
        ("hunter2-hunter2-ü", "printable ASCII"),
    ],
)
@pytest.mark.parametrize("service", SERVICES)
def test_a_secret_that_cannot_be_used_is_refused_and_not_shown(
    service: type[ServiceSettings], secret: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too short, or impossible in a header: said at the start, where it can be seen, and without the secret."""
    monkeypatch.setenv("STORECAST_EMITTER_SECRET", secret)

    with pytest.raises(StartupError, match=reason) as refused:
        service.load()

    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("service", "name", "value"),
    [
        *[(service, "HOST", "") for service in SERVICES],
        *[(service, "PORT", value) for service in SERVICES for value in ("-1", "65536", "http", "", "9" * 5000)],
        *[(service, "INSTANCE", value) for service in SERVICES for value in ("", "a b", "x" * 101, "a\nb: c")],
        *[(service, "SOCKET_PATH", value) for service in SERVICES for value in ("", "ws", "/a b", "/a?b")],
        *[(service, "LOG_LEVEL", "loud") for service in SERVICES],
        *[(service, "LOG_FORMAT", "xml") for service in SERVICES],
        *[(service, "HISTORY_EVENTS", "-1") for service in SERVICES],
        *[(ApiSettings, "EMITTER_URL", value) for value in ("emitter:9000", "ftp://h", "http://u:hunter2@h:99999")],
        *[
            (ApiSettings, "EMITTER_URL", value)
            for value in ("http://a:9000,", "http://a:9000,b:9000", "http://a http://b")
        ],
        *[(ApiSettings, "PUBLIC_WS_URL", value) for value in ("ws", "javascript:alert(1)")],
        *[(ApiSettings, "DATABASE_TIMEOUT_MS", value) for value in ("0", "60001", "5s")],
        (ApiSettings, "STARTUP_TIMEOUT_MS", "0"),
        *[(EmitterSettings, "PING_INTERVAL_MS", value) for value in ("0", "60000")],
        (EmitterSettings, "MAX_PAYLOAD_BYTES", "1"),
        (EmitterSettings, "ALLOWED_ORIGINS", '"https://shop.example"'),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_variable(
    service: type[ServiceSettings], name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator reads which variable to change; no value is repeated, since it may be a secret."""
    monkeypatch.setenv(f"STORECAST_{name}", value)

    with pytest.raises(StartupError) as refused:
        service.load()

    message = str(refused.value)
    assert message.startswith(f"STORECAST_{name}")
    assert "\n" not in message
    assert "hunter2" not in message
    assert "Value error" not in message


def test_a_list_that_is_not_json_names_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare origin is the likely mistake: no traceback, and the setting's name."""
    monkeypatch.setenv("STORECAST_ALLOWED_ORIGINS", "https://shop.example")

    with pytest.raises(StartupError, match=r"allowed_origins") as refused:
        EmitterSettings.load()

    assert "\n" not in str(refused.value)


def test_everything_that_is_wrong_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One start shows all that has to be changed, in one line."""
    monkeypatch.setenv("STORECAST_PORT", "http")
    monkeypatch.setenv("STORECAST_LOG_LEVEL", "loud")

    with pytest.raises(StartupError, match=r"^STORECAST_PORT: [^\n]+; STORECAST_LOG_LEVEL: [^\n]+$"):
        ApiSettings.load()


def test_settings_do_not_show_secrets() -> None:
    """Neither in a log line nor in an error about another field."""
    settings = ApiSettings(
        emitter_secret=SecretStr("hunter2-hunter2-hunter2"), mongo_url=SecretStr("mongodb://u:hunter2@h/db")
    )

    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"


def test_the_page_about_settings_lists_those_that_there_are() -> None:
    """With none left out, and none that is no more."""
    page = (ROOT / "docs/settings.md").read_text()
    listed = {name for line in page.splitlines() if line.startswith("|") for name in _NAMES.findall(line.split("|")[1])}

    fields = {*ApiSettings.model_fields, *EmitterSettings.model_fields}
    assert listed == {f"{PREFIX}{field.upper()}" for field in fields}


@pytest.mark.parametrize("networks", ["10.0.0.0/8", '["10.0.0.1/8"]', '["proxy"]', '["0.0.0.0/0"]', '["::/0"]'])
@pytest.mark.parametrize("service", SERVICES)
def test_a_proxy_is_trusted_by_its_network(
    service: type[ServiceSettings], networks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A JSON list of networks, like `["10.0.0.0/8", "2001:db8::/32"]`, and nothing that is none."""
    monkeypatch.setenv("STORECAST_TRUSTED_PROXIES", '["10.0.0.0/8", "2001:db8::/32"]')
    assert [str(network) for network in service.load().trusted_proxies] == ["10.0.0.0/8", "2001:db8::/32"]
    monkeypatch.setenv("STORECAST_TRUSTED_PROXIES", networks)

    with pytest.raises(StartupError, match=r"(?i)trusted_proxies"):
        service.load()
