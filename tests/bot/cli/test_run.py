"""``run`` at a terminal: a line that moves while the model is loaded, and a word at the end."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot.cli import run

ROOT = Path(__file__).resolve().parents[3]


def test_a_start_moves_and_a_stop_is_said(tmp_path: Path) -> None:
    (tmp_path / "bot.toml").write_text(
        f'[shop]\nknowledge = "{ROOT / "demo"}"\n[web]\nport = 0\n[inference]\nn_ctx = 2048\n', encoding="utf-8"
    )
    leader, follower = pty.openpty()
    env = os.environ | {"TERM": "xterm", "COLUMNS": "80"}
    with subprocess.Popen(
        [sys.executable, "-m", "bot", "--config", str(tmp_path / "bot.toml"), "run"],
        cwd=ROOT,
        env=env,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    ) as running:
        os.close(follower)
        said = _until(leader, "README.md")
        running.send_signal(signal.SIGINT)
        said += _until(leader, None)
    os.close(leader)
    assert running.returncode == 0
    before, _, after = said.partition("\u638c\u67dc")
    assert "loading the model" in before
    # A record is written over the moving line, not behind it.
    assert re.search(r"\r\x1b\[K\d\d:\d\d:\d\d bot\.house \[-\] shop default", before)
    assert "loading" not in after
    assert "stopped" in after
    # What it shows to type next runs as it stands there, with the settings of this bot.
    assert f"python -m bot --config {tmp_path}/bot.toml doctor" in after


@pytest.mark.parametrize("settings", ["bot.toml", "my shop.toml"])
def test_the_next_command_runs_in_a_terminal_where_nothing_is_activated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str
) -> None:
    monkeypatch.chdir(tmp_path)
    options = "" if settings == "bot.toml" else " --config 'my shop.toml'"
    assert run.command(Path(settings)) == f"python -m bot{options}"
    (tmp_path / ".venv").mkdir()
    assert run.command(Path(settings)) == f"python -m bot{options}"
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    assert run.command(Path(settings)) == f".venv/bin/python -m bot{options}"


def _until(leader: int, word: str | None) -> str:
    """What the terminal got, up to a word or to its end."""
    out = b""
    while word is None or word.encode() not in out:
        try:
            part = os.read(leader, 4096)
        except OSError:  # how Linux tells that nobody writes any more
            break
        if not part:
            break
        out += part
    return out.decode("utf-8", "replace")
