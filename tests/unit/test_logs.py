import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from shared.logs import configure_logging
from shared.settings import ServiceSettings


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Logging is global: whatever a test sets up is taken back."""
    root, chatty = logging.getLogger(), logging.getLogger("httpx")
    handlers, level, chatty_level = root.handlers[:], root.level, chatty.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    chatty.setLevel(chatty_level)
    structlog.reset_defaults()


def _settings(**fields: Any) -> ServiceSettings:
    return ServiceSettings(instance="api-2", auth="off", emitter_secret=SecretStr("hunter2-hunter2-hunter2"), **fields)


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def test_a_line_is_json_and_tells_who_says_it(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, with time, level, logger, service and instance, and the facts as fields of their own."""
    configure_logging(_settings(), "api")

    structlog.get_logger("feed").info("leading", epoch="e1")

    [line] = _lines(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "leading",
        "epoch": "e1",
        "level": "info",
        "logger": "feed",
        "service": "api",
        "instance": "api-2",
    }


def test_lines_of_libraries_have_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever logs through the standard library, and with `extra`, can be searched in the same way."""
    configure_logging(_settings(), "emitter")

    logging.getLogger("uvicorn.error").warning("%s is slow", "it", extra={"client": "1.2.3.4"})

    [line] = _lines(capsys)
    assert (line["event"], line["client"], line["service"]) == ("it is slow", "1.2.3.4", "emitter")


def test_a_traceback_stays_in_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    """One event is one line, also where it carries a traceback."""
    configure_logging(_settings(), "api")

    try:
        {"here": 1}["gone"]
    except KeyError:
        structlog.get_logger("feed").exception("a term failed")

    [line] = _lines(capsys)
    assert "KeyError: 'gone'" in line["exception"]


def test_the_level_is_a_setting(capsys: pytest.CaptureFixture[str]) -> None:
    """Below it nothing is written; and no line for each request, on any level."""
    configure_logging(_settings(log_level="error"), "api")
    structlog.get_logger("feed").warning("quiet")
    configure_logging(_settings(log_level="debug"), "api")
    logging.getLogger("httpx").info("HTTP Request: GET http://emitter")
    structlog.get_logger("relay").debug("loud")

    assert [line["event"] for line in _lines(capsys)] == ["loud"]


def test_a_person_gets_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """With `console`, and without colours where it is no terminal."""
    configure_logging(_settings(log_format="console"), "api")

    structlog.get_logger("feed").info("leading", epoch="e1")

    line = capsys.readouterr().err
    assert "leading" in line
    assert "epoch=e1" in line
    assert "\x1b" not in line
