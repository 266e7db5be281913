"""``pyproject.toml`` against the tree: what is packed, and what a new module may import."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOP = ("adapters", "bench", "bot", "inference", "storage")
#: The modules of the core that every room may know.
OPEN = {"bot.answer", "bot.errors", "bot.model", "bot.ports"}


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_package_is_packed() -> None:
    folders = {init.parent.relative_to(ROOT) for top in TOP for init in (ROOT / top).rglob("__init__.py")}
    assert sorted(project()["tool"]["setuptools"]["packages"]) == sorted(".".join(f.parts) for f in folders)


def test_everything_that_a_package_reads_is_packed_with_it() -> None:
    setuptools = project()["tool"]["setuptools"]
    packed = {
        path
        for package, patterns in setuptools["package-data"].items()
        for pattern in patterns
        for path in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    lying = (path for top in TOP for path in (ROOT / top).rglob("*") if path.is_file())
    data = {path for path in lying if path.suffix not in {".py", ".pyc"}}
    assert data - packed == set()
    assert all(package in setuptools["packages"] for package in setuptools["package-data"])


def test_the_page_on_the_architecture_names_every_room_and_module() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = page.partition("| Room | Holds |")[2].partition("## ")[0]
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"build", "data", "__pycache__"}
    assert [name for name in sorted(folders) if name[0] != "." and f"| `{name}/` |" not in rooms] == []
    core, inference = ([*(ROOT / room).glob("[a-z]*.py")] for room in ("bot", "inference"))
    named = set(re.findall(r"`([a-z]+)/?`", rooms))
    assert {path.stem for path in core + inference} - named == set()


def test_the_coverage_counts_child_processes(tmp_path: Path) -> None:
    parent = tmp_path / "parent.py"
    parent.write_text(
        "import subprocess, sys\nsubprocess.run([sys.executable, '-m', 'bot', '--help'], check=True)\n",
        encoding="utf-8",
    )
    # This very test may be measured; what it measures is not.
    env = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    env |= {"COVERAGE_FILE": str(tmp_path / "measured"), "COVERAGE_RCFILE": str(ROOT / "pyproject.toml")}
    out = tmp_path / "out.json"
    for command in (["run", str(parent)], ["combine"], ["json", "--fail-under=0", "-o", str(out)]):
        done = subprocess.run(
            [sys.executable, "-m", "coverage", *command], cwd=ROOT, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(out.read_text(encoding="utf-8"))["files"]["bot/cli/__init__.py"]["executed_lines"]


def test_the_rooms_are_kept_from_every_module_of_the_core_but_the_open_ones() -> None:
    contracts = project()["tool"]["importlinter"]["contracts"]
    rooms = next(c for c in contracts if c.get("source_modules") == ["adapters", "inference", "storage"])
    modules = {f"bot.{path.stem}" for path in (ROOT / "bot").iterdir() if path.suffix == ".py" or path.name == "cli"}
    assert set(rooms["forbidden_modules"]) == modules - OPEN - {"bot.__init__"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the sources that may be spoilt."""
    for top in TOP:
        shutil.copytree(ROOT / top, tmp_path / top, ignore=shutil.ignore_patterns("__pycache__", "*.gguf", "static"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def linted(tree: Path) -> subprocess.CompletedProcess[str]:
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run([sys.executable, "-c", command], cwd=tree, capture_output=True, text=True, check=False)


def test_the_imports_keep_their_direction(tree: Path) -> None:
    done = linted(tree)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("file", "line", "said"),
    [
        ("bot/faq.py", "", "faq"),
        ("bot/intake.py", "import storage.store", "bot.intake -> storage.store"),
        ("bot/words.py", "import bot.intake", "bot.words -> bot.intake"),
        ("adapters/wecom.py", "import adapters.telegram.text", "adapters.wecom -> adapters.telegram.text"),
        ("adapters/wecom.py", "import storage.store", "adapters.wecom -> storage.store"),
        ("adapters/web/frames.py", "import bot.table", "adapters.web.frames -> bot.table"),
        ("inference/hub.py", "import bot.prompt", "inference.hub -> bot.prompt"),
        ("storage/store.py", "import bot.log", "storage.store -> bot.log"),
        ("bot/facts.py", "import numpy", "bot.facts -> numpy"),
    ],
)
def test_an_import_the_wrong_way_is_named(tree: Path, file: str, line: str, said: str) -> None:
    with (tree / file).open("a", encoding="utf-8") as spoilt:
        spoilt.write(f"\n{line}\n")
    done = linted(tree)
    assert done.returncode == 1
    assert said in done.stdout
