"""State files: whatever does not match is as good as not there, for a wrong one ends the process."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import ModelError
from inference.llama.statefile import StateFiles, identity

STATE = bytes(range(256)) * 50


def kept(folder: Path) -> Path:
    (path,) = folder.glob("*.state")
    return path


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    files = StateFiles(tmp_path / "new" / "folder", "model")
    assert files.load("prompt") is None
    files.save("prompt", STATE)
    assert files.load("prompt") == STATE
    assert [path.suffix for path in (tmp_path / "new" / "folder").iterdir()] == [".state"]


def test_another_model_and_another_prompt_have_none(tmp_path: Path) -> None:
    StateFiles(tmp_path, "model").save("prompt", STATE)
    assert StateFiles(tmp_path, "other").load("prompt") is None
    assert StateFiles(tmp_path, "model").load("other") is None


@pytest.mark.parametrize("cut", [0, 1, 40, 79, 80, 81, -1])
def test_a_file_that_was_cut_off_is_none(tmp_path: Path, cut: int) -> None:
    files = StateFiles(tmp_path, "model")
    files.save("prompt", STATE)
    kept(tmp_path).write_bytes(kept(tmp_path).read_bytes()[:cut])
    assert files.load("prompt") is None


@pytest.mark.parametrize("at", [0, 7, 8, 39, 40, 47, 48, 79, 80, 5000, -1])
def test_one_flipped_bit_makes_it_none(tmp_path: Path, at: int) -> None:
    files = StateFiles(tmp_path, "model")
    files.save("prompt", STATE)
    data = bytearray(kept(tmp_path).read_bytes())
    data[at] ^= 1
    kept(tmp_path).write_bytes(data)
    assert files.load("prompt") is None


def test_more_bytes_than_announced_make_it_none(tmp_path: Path) -> None:
    files = StateFiles(tmp_path, "model")
    files.save("prompt", STATE)
    kept(tmp_path).write_bytes(kept(tmp_path).read_bytes() + b"x")
    assert files.load("prompt") is None


def test_another_prompts_file_under_this_name_is_none(tmp_path: Path) -> None:
    files = StateFiles(tmp_path, "model")
    files.save("prompt", STATE)
    mine = kept(tmp_path)
    files.save("other", STATE)
    (other,) = set(tmp_path.glob("*.state")) - {mine}
    other.replace(mine)
    assert files.load("prompt") is None


def test_only_the_newest_few_are_kept(tmp_path: Path) -> None:
    files = StateFiles(tmp_path, "model")
    for number in range(7):
        files.save(f"prompt {number}", STATE)
    assert len(list(tmp_path.glob("*.state"))) == 4
    assert files.load("prompt 6") == STATE


def test_a_folder_that_cannot_be_written_costs_time_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    files = StateFiles(tmp_path / "file", "model")
    files.save("prompt", STATE)
    assert files.load("prompt") is None
    assert "could not be kept" in caplog.text


def test_a_models_identity_changes_with_its_size_its_time_and_both_ends(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"a" * (3 << 20))
    first = identity(path)
    assert identity(path) == first
    data = bytearray(path.read_bytes())
    data[-1] = 0
    path.write_bytes(data)
    assert identity(path) != first
    with pytest.raises(ModelError, match="cannot be read"):
        identity(tmp_path / "none.gguf")
