"""The photographs that the training is shown, and those that are kept from it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from inference.demo import photographs


def test_a_training_without_photographs_ends_before_it_begins_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a machine without a network, or without package lists."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("apt-get", "dpkg-deb"):
        (tools / name).write_text("#!/bin/sh\nexit 100\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    for _ in range(2):
        with pytest.raises(SystemExit, match=r"these packages did not come: .*run apt-get update"):
            photographs.collect(tmp_path / "photographs")
    assert not (tmp_path / "photographs" / "done").exists()
