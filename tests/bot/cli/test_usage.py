"""What the command line says of itself, and of words that it does not take."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from bot.cli.ask import question
from bot.errors import BotError

ROOT = Path(__file__).resolve().parents[3]


def bot(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); from bot.cli import main; main()"]
    return subprocess.run([*command, *words], cwd=cwd, capture_output=True, text=True, check=False)


def test_help_shows_what_it_means_and_flags_have_no_type() -> None:
    said = " ".join(bot("ask", "--help").stdout.split())
    assert '{"customer", "text", "photos": [path, …]} a line each' in said
    assert "<bool>" not in said


@pytest.mark.parametrize("words", [[], [""], ["  "]])
def test_an_empty_question_is_wrong_usage(words: list[str]) -> None:
    done = bot("ask", *words)
    assert done.returncode == 2
    assert "say something, or give a photo" in done.stderr


@pytest.mark.parametrize("words", [["你好"], ["--photo", "a.jpg"]])
def test_questions_from_stdin_and_a_question_beside_them_are_wrong_usage(words: list[str]) -> None:
    done = bot("ask", "--jsonl", *words)
    assert done.returncode == 2
    assert "give no text and no --photo beside it" in done.stderr


def test_the_list_of_models_shows_the_setting_whole() -> None:
    done = bot("model", "list")
    assert 'then in bot.toml, under [inference]: model = "NAME"' in done.stdout


def test_a_backup_says_one_line(tmp_path: Path) -> None:
    (tmp_path / "bot.toml").touch()
    assert bot("db", "upgrade", cwd=tmp_path).returncode == 0
    done = bot("db", "backup", "copy.zip", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [line[:9] for line in io.StringIO(done.stdout)] == ["copy.zip:"]


def test_a_start_in_a_folder_that_cannot_be_written_says_what_the_set_up_says(tmp_path: Path) -> None:
    # A file where a folder belongs: what refuses everybody, the administrator too.
    (tmp_path / "bot.toml").write_text("[web]\nport = 0\n", encoding="utf-8")
    (tmp_path / "data").touch()
    done = bot("run", cwd=tmp_path)
    assert done.returncode == 2
    assert "copy it to a place of your own and start it there" in done.stderr


@pytest.mark.parametrize("words", [["run"], ["--config", "none.toml", "run"], ["ask"], ["nothing"]])
def test_every_error_begins_as_those_of_the_set_up_do(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "bot.toml").write_text("[web]\nprot = 0\n", encoding="utf-8")
    done = bot(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert [line[:7] for line in done.stderr.splitlines() if "rror:" in line] == ["Error: "]


def test_without_its_packages_the_bot_says_so_in_the_same_way() -> None:
    done = subprocess.run([sys.executable, "-S", "-m", "bot"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: the package ")


def test_a_line_in_another_encoding_is_named_in_a_sentence() -> None:
    line = '{"text": "有破损吗？"}'
    assert question(7, line.encode(), "utf-8") == ("me", "有破损吗？", [])
    with pytest.raises(BotError, match=r"^line 7 is not written in utf-8: save the questions in this encoding$"):
        question(7, line.encode("gbk"), "utf-8")
