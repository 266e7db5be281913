from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot.errors import StorageError
from storage.lock import RunLock, free, holder

HOLD = """
import sys, time
from pathlib import Path
from storage.lock import RunLock
with RunLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_bot_is_refused_and_told_which_process_runs(tmp_path: Path) -> None:
    path = tmp_path / "data" / "run.lock"
    assert holder(path) is None
    with RunLock(path):
        assert holder(path) == os.getpid()
        with (
            pytest.raises(StorageError, match=rf"a bot runs on this data already \(process {os.getpid()}\)"),
            RunLock(path),
        ):
            pass
        assert holder(path) == os.getpid()
        with pytest.raises(StorageError, match=rf"a bot runs on this data already \(process {os.getpid()}\)"):
            free(path)
    assert holder(path) is None
    free(path)
    with RunLock(path):
        pass


def test_kill_9_frees_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        assert holder(path) == child.pid
        with pytest.raises(StorageError, match=f"process {child.pid}"), RunLock(path):
            pass
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=10)
    assert path.read_text() == f"{child.pid}\n"
    assert holder(path) is None
    with RunLock(path):
        assert path.read_text() == f"{os.getpid()}\n"


def test_who_holds_the_lock_leaves_nothing_of_what_stood_there(tmp_path: Path) -> None:
    """After ``kill -9`` a longer number stands in the file."""
    path = tmp_path / "run.lock"
    path.write_text("99999999999\n")
    with RunLock(path):
        assert path.read_text() == f"{os.getpid()}\n"
        assert holder(path) == os.getpid()


def test_a_lock_whose_holder_has_not_said_who_he_is_still_holds(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    with RunLock(path):
        path.write_text("")
        assert holder(path) == 0
        with pytest.raises(StorageError, match="runs on this data already; stop it"), RunLock(path):
            pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(StorageError, match="cannot be written"), RunLock(tmp_path / "data" / "run.lock"):
        pass
