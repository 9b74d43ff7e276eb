import pytest

from tests.tools import require


def test_a_program_that_is_there_is_found() -> None:
    """A tool's path is returned, so that the test starts exactly that one."""
    assert require("sh", "install a shell").endswith("/sh")


def test_without_the_program_the_test_is_skipped_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a developer's machine a missing tool costs just the tests that need it, and says what to do."""
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match="no no-such-tool on this machine: install it"):
        require("no-such-tool", "install it")


def test_in_ci_a_missing_program_fails_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """A green CI run has run everything: there a missing tool is a failure."""
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match="no no-such-tool on this machine"):
        require("no-such-tool", "install it")
