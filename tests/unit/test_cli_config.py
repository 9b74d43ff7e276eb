"""`storecast check-config`: the values that the services take, where they come from, and nothing of a secret."""

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from deploy.cli.config.checks import SERVICES
from deploy.cli.config.effective import effective, variable
from deploy.cli.config.masking import masked
from deploy.cli.config.report import check_config
from deploy.cli.config.settings import given
from deploy.cli.errors import Misconfigured
from shared.errors import StartupError

GOOD = {
    "STORECAST_EMITTER_SECRET": "hunter2-hunter2-hunter2",
    "STORECAST_JWT_SECRET": "hunter2-hunter2-hunter2-hunter2-hunter2",
}


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Only what a test sets: an empty folder of secrets, and no variable."""
    for name in [name for name in os.environ if name.upper().startswith("STORECAST_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("shared.settings.SECRETS", tmp_path)
    return tmp_path


def set_variables(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in {**GOOD, **variables}.items():
        monkeypatch.setenv(name, value)


def rows(service: str) -> dict[str, tuple[str, str]]:
    """Return what is shown of each variable: value and source."""
    return {row.variable: (row.value, row.source) for row in effective(SERVICES[service], given()).settings}


def wrong(*services: str) -> list[str]:
    with pytest.raises(Misconfigured) as refused:
        check_config(services)
    assert "hunter2" not in str(refused.value)
    return list(refused.value.lines)


@pytest.mark.parametrize("service", SERVICES)
def test_it_shows_what_the_service_takes(service: str, monkeypatch: pytest.MonkeyPatch, secrets: Path) -> None:
    """Whatever is given in whatever way: the same values as at a start."""
    (secrets / "storecast_redis_url").write_text("redis://:hunter2@redis:6379\n")
    (secrets / "storecast_port").write_text("1")
    variables = {
        "storecast_port": "8123",
        "STORECAST_ALLOWED_ORIGINS": '["https://shop.example"]',
        "STORECAST_EMITTER_URL": "http://a:9000/, http://b:9000",
        "STORECAST_TOPIC_RULES": '{"inbox:*": "sub"}',
        "STORECAST_RETENTION_HOURS": "1.5",
        "STORECAST_PUBLIC_READ": "no",
    }
    set_variables(monkeypatch, **variables)

    taken = SERVICES[service].settings.load()
    shown = rows(service)
    for field in type(taken).model_fields:
        value, source = shown[variable(field)]
        real = getattr(taken, field)
        if isinstance(real, SecretStr):
            assert "hunter2" not in value
            assert bool(value) == bool(real.get_secret_value())
        elif isinstance(real, str):
            assert value == real
        assert (source == "default") == (field not in taken.model_fields_set)
    assert shown["STORECAST_PORT"] == ("8123", "environment")
    assert shown["STORECAST_PUBLIC_READ"] == ("false", "environment")
    assert shown["STORECAST_ALLOWED_ORIGINS"] == ('["https://shop.example"]', "environment")
    assert shown["STORECAST_REDIS_URL"] == ("redis://***@redis:6379", str(secrets / "storecast_redis_url"))


def test_all_that_is_wrong_is_said_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], secrets: Path
) -> None:
    """Also beside a list that is no JSON, which a start would have stumbled over first; each by service and name."""
    (secrets / "storecast_jwt_issuer").write_bytes(b"\xff")
    set_variables(
        monkeypatch,
        STORECAST_EMITTER_SECRET="hunter2",
        STORECAST_PORT="http",
        STORECAST_ALLOWED_ORIGINS="https://shop.example",
        STORECAST_TOPIC_RULES="none",
    )
    said = wrong("api", "emitter")

    assert [line.split(": ")[:2] for line in said if line.startswith("api: ")] == [
        ["api", "STORECAST_JWT_ISSUER"],
        ["api", "STORECAST_ALLOWED_ORIGINS"],
        ["api", "STORECAST_PORT"],
        ["api", "STORECAST_EMITTER_SECRET"],
    ]
    assert "emitter: STORECAST_TOPIC_RULES: must be an object in JSON" in said
    assert "emitter: STORECAST_ALLOWED_ORIGINS: must be a list in JSON" in said
    shown = capsys.readouterr().out
    assert "hunter2" not in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"STORECAST_JWT_SECRET": ""}, "api: STORECAST_JWT_SECRET: set it to what signs the tokens"),
        ({"STORECAST_JWT_SECRET": "hunter2"}, "emitter: STORECAST_JWT_SECRET: must have at least 32 characters"),
        ({"STORECAST_JWKS_URL": "https://id.example"}, "api: STORECAST_JWKS_URL, STORECAST_JWT_SECRET: set one"),
        ({"STORECAST_MONGO_URL": "mongodb://u:hunter2/x@h/db"}, "api: STORECAST_MONGO_URL: "),
        ({"STORECAST_REDIS_URL": "http://:hunter2@redis"}, "emitter: STORECAST_REDIS_URL: give redis://HOST:PORT"),
        ({"STORECAST_REDIS_URL": "http://:hunter2@redis"}, "api: STORECAST_REDIS_URL: give redis://HOST:PORT"),
        ({"STORECAST_CLIENT_TOPICS": '["user:*"]'}, "emitter: STORECAST_CLIENT_TOPICS: user:... and device:..."),
        ({"STORECAST_AUTH": "off", "STORECAST_HOST": "0.0.0.0"}, "emitter: STORECAST_AUTH: can be off only where"),
    ],
)
def test_what_only_a_start_would_find_is_found(
    variables: dict[str, str], line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What belongs together is looked at together, as the services do."""
    set_variables(monkeypatch, **variables)
    assert [each for each in wrong("api", "emitter") if each.startswith(line)]
    assert "hunter2" not in capsys.readouterr().out


def test_what_is_right_ends_well(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is said about the command line's own variables; a name that no service knows is likely a slip."""
    set_variables(monkeypatch, STORECAST_TOKEN="hunter2", STORECAST_URL="http://h", STORECAST_PROT="9000")
    check_config(["api", "emitter"])
    shown = capsys.readouterr().out
    assert [line for line in shown.splitlines() if " set, " in line] == [
        "STORECAST_PROT is set, and no setting of the services"
    ]
    assert "hunter2" not in shown


@pytest.mark.parametrize("service", SERVICES)
def test_without_anything_the_secret_is_missing(service: str) -> None:
    """As a start says."""
    assert rows(service)["STORECAST_EMITTER_SECRET"] == ("", "missing")
    [line] = wrong(service)
    with pytest.raises(StartupError) as refused:
        SERVICES[service].settings.load()
    assert line == f"{service}: {refused.value}"


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("jwt_secret", "hunter2", "***"),
        ("jwt_secret", "https://hunter2", "***"),
        ("jwt_secret", "", ""),
        ("mongo_url", "mongodb://u:hunter2@a,b/x?replicaSet=rs0", "mongodb://***@a,b/x?replicaSet=rs0"),
        ("mongo_url", "mongodb://u:hunter2/@hunter2@a/x", "mongodb://***@a/x"),
        (
            "mongo_url",
            "mongodb://a/?tlsCertificateKeyFilePassword=hunter2&w=1",
            "mongodb://a/?tlsCertificateKeyFilePassword=***&w=1",
        ),
        (
            "mongo_url",
            "mongodb://a/?authMechanismProperties=AWS_SESSION_TOKEN:hunter2",
            "mongodb://a/?authMechanismProperties=***",
        ),
        ("mongo_url", "hunter2", "***"),
        ("mongo_url", "", ""),
        ("redis_url", "redis://a?password=hunter2", "redis://a?password=***"),
    ],
)
def test_of_a_secret_only_what_surrounds_it_is_shown(field: str, value: str, shown: str) -> None:
    """An address helps; who logs in there, and how, concerns nobody."""
    assert masked(field, value, is_secret=True) == shown


def test_a_password_in_a_plain_url_is_not_shown_either() -> None:
    """Somebody may have put one there."""
    assert masked("emitter_url", "http://u:hunter2@a:9000", is_secret=False) == "http://***@a:9000"
