from pathlib import Path

import pytest

from deploy.local.data_dir import DataDir, last_line, write_atomically
from shared.errors import StartupError


def test_a_new_run_keeps_one_generation_of_logs_and_no_process_ids(tmp_path: Path) -> None:
    """Logs are bounded, and what a killed run left behind misleads nobody."""
    data = DataDir(tmp_path)
    data.make()
    for run in ("first", "second"):
        data.log("api-1").write_text(run)
        data.pid("api-1").write_text("1\n")
        data.clear_last_run()
    assert [file.name for file in (tmp_path / "log").iterdir()] == ["api-1.log.1"]
    assert (tmp_path / "log" / "api-1.log.1").read_text() == "second"
    assert not data.pid("api-1").exists()


def test_only_members_with_data_count(tmp_path: Path) -> None:
    """A folder that is empty, or a file such as a remembered port, is no member's data."""
    data = DataDir(tmp_path)
    data.database("mongod")
    (data.database("mongod-2") / "WiredTiger").touch()
    data.port("mongod-3").write_text("20000\n")
    assert data.members() == ["mongod-2"]


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    """The message names the folder and the option that chooses another."""
    (tmp_path / "file").touch()
    with pytest.raises(StartupError, match=r"^cannot write to .*/file/data: Not a directory; .* --data-dir$"):
        DataDir(tmp_path / "file" / "data").make()


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """A reader never sees half a process id, nor a draft left over."""
    write_atomically(tmp_path / "api-1.pid", "12\n")
    write_atomically(tmp_path / "api-1.pid", "3456\n")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("api-1.pid", "3456\n")]


@pytest.mark.parametrize(("text", "line"), [("", ""), ("\n \n", ""), ("one\n  two  \n\n", "two"), ("\udcff", "\ufffd")])
def test_the_last_line_of_a_log(tmp_path: Path, text: str, line: str) -> None:
    """An error message quotes what the child said last, whatever bytes that was."""
    (tmp_path / "log").write_bytes(text.encode(errors="surrogateescape"))
    assert last_line(tmp_path / "log") == line


def test_a_log_that_was_never_made(tmp_path: Path) -> None:
    """A child that never started has said nothing."""
    assert last_line(tmp_path / "log") == ""
