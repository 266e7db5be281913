"""The two commands on machines that lack something, and the locked dependencies."""

from __future__ import annotations

import fcntl
import itertools
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import termios
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from typer.main import get_command

from bot import address, config, toml
from bot.errors import ConfigError, StorageError
from bot.place import Place
from scripts import before, readme
from storage.lock import RunLock

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements-build.txt", "requirements.txt", "requirements-dev.txt")

# ------------------------------------------------------------------------------------------------ the lock


def locked(name: str) -> list[Requirement]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return [Requirement(line.rstrip(" \\")) for line in text.splitlines() if re.match(r"[a-z]", line)]


def satisfied(wanted: Requirement, lock: list[Requirement]) -> bool:
    """Whether every version that the lock may choose is one that ``wanted`` allows."""
    name = canonicalize_name(wanted.name)
    versions = [Version(str(r.specifier).removeprefix("==")) for r in lock if canonicalize_name(r.name) == name]
    return bool(versions) and all(wanted.specifier.contains(version) for version in versions)


@pytest.mark.parametrize(
    ("group", "file"), [("build", LOCKS[0]), (None, LOCKS[1]), (None, LOCKS[2]), ("dev", LOCKS[2])]
)
def test_the_lock_belongs_to_pyproject(group: str | None, file: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = project["dependency-groups"][group] if group else project["project"]["dependencies"]
    lock = locked(file)
    assert [w for w in wanted if not satisfied(Requirement(w), lock)] == []


@pytest.mark.parametrize("file", LOCKS)
def test_every_locked_package_has_a_version_and_hashes_and_no_address(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[a-z])", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==[0-9][^ ]* ", entry), entry[:60]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry[:60]
    assert not re.search(r"://|--(index|extra|find|trusted)| @ ", text)


def test_what_the_bot_and_its_checks_both_need_is_locked_alike() -> None:
    dev = {str(r) for r in locked("requirements-dev.txt")}
    assert [str(r) for r in locked("requirements.txt") if str(r) not in dev] == []


# ------------------------------------------------------------------------------------------------ settings


def defaults(section: toml.Keys = toml.KEYS, at: toml.Key = ()) -> list[toml.Key]:
    """Every key that has a default; what the owner names himself has none."""
    out: list[toml.Key] = []
    for name, kind in section.items():
        if name != "shops":
            out += [(*at, name)] if isinstance(kind, str) else defaults(kind, (*at, name))
    return out


def test_bot_toml_shows_every_key_with_its_default() -> None:
    written = tomllib.loads((ROOT / "bot.toml").read_text(encoding="utf-8"))
    assert config.load(ROOT / "bot.toml", {}) == config.Config()
    for key in defaults():
        here = written
        for part in key:
            assert part in here, f"bot.toml lacks {'.'.join(key)}"
            here = here[part]


def test_every_key_of_bot_toml_is_explained() -> None:
    lines = (ROOT / "bot.toml").read_text(encoding="utf-8").splitlines()
    bare = [line for before, line in itertools.pairwise(lines) if re.match(r"[a-z_]+ = ", line) and before[:1] != "#"]
    assert bare == []


def test_the_readme_has_the_settings_of_bot_toml() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.filled(text, (ROOT / "bot.toml").read_text(encoding="utf-8")) == text, "run python -m scripts.readme"
    for key in defaults():
        assert f"| `{'.'.join(key)}` |" in text, key


# ------------------------------------------------------------------------------------------------ the scripts


@pytest.mark.parametrize("script", ["start.sh", "test.sh", ".ci/run", "scripts/setup.sh", "scripts/lock.sh"])
def test_a_script_is_sound_bash(script: str) -> None:
    subprocess.run(["bash", "-n", ROOT / script], check=True)
    assert script == "scripts/setup.sh" or os.access(ROOT / script, os.X_OK)


class Machine:
    """A machine with a clone and nothing in its PATH but what is put there."""

    TOOLS = (
        "bash sh cat rm mkdir cp mv cmp awk sed grep tail head tr sleep uname dirname touch id tar env wc df cksum stty"
    )
    #: What the set-up runs before anything is installed, and what that imports.
    FIRST = (
        "scripts/before.py",
        "bot/__init__.py",
        "bot/errors.py",
        "bot/toml.py",
        "bot/address.py",
        "storage/__init__.py",
        "storage/lock.py",
    )

    def __init__(self, folder: Path) -> None:
        self.clone, self.path = folder / "clone", folder / "bin"
        for room in ("scripts", "bot", "storage"):
            (self.clone / room).mkdir(parents=True)
        self.path.mkdir()
        for name in ("start.sh", "test.sh", "scripts/setup.sh", *self.FIRST, *LOCKS):
            shutil.copy(ROOT / name, self.clone / name)
        self.settings("[web]\nport = 0\n")
        for tool in self.TOOLS.split():
            if found := shutil.which(tool):
                (self.path / tool).symlink_to(found)
        self.have("df", "echo Filesystem; echo disk 0 0 90000000 0% /")

    def settings(self, text: str) -> None:
        (self.clone / "bot.toml").write_text(text, encoding="utf-8")

    def have(self, name: str, script: str) -> None:
        """Puts a program into the PATH."""
        file = self.path / name
        file.unlink(missing_ok=True)
        file.write_text(f"#!/bin/bash\n{script}\n", encoding="utf-8")
        file.chmod(0o755)

    def have_python(self, name: str = "python3", version: str = "3.12") -> None:
        """A Python that says it is ``version``; it makes environments, and its pip installs whatever it is told to."""
        self.have(
            name,
            f"""
            case "$*" in
              *sys.version_info*) echo {version} ;;
              *scripts.before*) exec {sys.executable} -S "$@" ;;
              *ensurepip*) exit 0 ;;
              "-m venv .venv") mkdir -p .venv/bin .venv/lib/python3/site-packages/pip && cp "$0" .venv/bin/python ;;
              "-m pip cache"*) [ -n "${{CMAKE_ARGS:-}}" ] || echo /cache/llama_cpp_python.whl ;;
              "-m pip download"*) mkdir -p s/llama && touch s/llama/CMakeLists.txt &&
                 tar cf build/llama/llama_cpp_python-1.tar.gz -C s llama ;;
              "-m pip wheel"*) echo "$*" >>installed; touch build/llama/llama_cpp_python-1.whl
                 eval "${{PIP_DOES:-}}" ;;
              "-m pip install"*) echo "$*" >>installed; mkdir -p .venv/lib/python3/site-packages/numpy
                 eval "${{PIP_DOES:-}}" ;;
              "-m bot run"*) echo "bot: $*"; echo "temporary files: ${{TMPDIR:-where they always are}}" >&2 ;;
              *) echo "python: $*" ;;
            esac""",
        )

    def have_compiler(self) -> None:
        self.have("cc", "exit 0")
        self.have("c++", "exit 0")

    def start(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        return self.bash("./start.sh", *words, **env)

    def bash(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        where = {"PATH": str(self.path), "HOME": str(self.clone), **env}
        return subprocess.run(
            words,
            cwd=self.clone,
            env=where,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.have_python()
    machine.have_compiler()
    return machine


def test_the_first_start_installs_with_hashes_and_the_second_installs_nothing(machine: Machine) -> None:
    first = machine.start("--help")
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines()[-1] == "bot: -m bot run --help"
    installed = (machine.clone / "installed").read_text(encoding="utf-8").splitlines()
    assert len(installed) == 4
    assert [line for line in installed if "--require-hashes" not in line] == [
        "-m pip install --no-deps --no-index build/llama/llama_cpp_python-1.whl"
    ]
    second = machine.start()
    assert second.stdout == "bot: -m bot run\n"
    assert len((machine.clone / "installed").read_text(encoding="utf-8").splitlines()) == 4
    assert {f.name for f in machine.clone.iterdir()} == {
        "start.sh",
        "test.sh",
        "scripts",
        "bot",
        "storage",
        "bot.toml",
        *LOCKS,
        ".venv",
        "build",
        "installed",
    }


@pytest.mark.parametrize(
    "broken",
    [
        "rm .venv/ready",
        "rm -r .venv/lib/python3/site-packages/numpy",
        "rm .venv/bin/python",
        "rm .venv/bin/python && ln -s /nowhere .venv/bin/python",
        "echo '# another version' >>requirements.txt",
    ],
)
def test_a_broken_environment_is_noticed_and_made_anew(machine: Machine, broken: str) -> None:
    machine.start()
    machine.bash("bash", "-c", broken)
    (machine.clone / ".venv/leftover").touch()
    again = machine.start()
    assert "the environment in .venv is incomplete or out of date: it is made anew" in again.stdout
    assert again.stdout.endswith("bot: -m bot run\n")
    assert not (machine.clone / ".venv/leftover").exists()


def test_an_interrupted_compile_goes_on_in_the_same_environment(machine: Machine) -> None:
    failed = machine.start(PIP_DOES="case $* in *pip\\ wheel*) exit 1;; esac")
    assert failed.returncode == 1
    (machine.clone / ".venv/leftover").touch()
    again = machine.start()
    assert again.stdout.startswith("  goes on with the environment in .venv\n  ✓ llama.cpp")
    assert (machine.clone / ".venv/leftover").exists()
    assert not (machine.clone / "build/llama").exists()


def test_a_set_up_that_failed_half_way_is_not_taken_for_whole(machine: Machine) -> None:
    failed = machine.start(PIP_DOES="case $* in *' requirements.txt') echo trouble; exit 1;; esac")
    assert failed.returncode == 1
    assert "Error: «packages» failed; all of it is in build/setup.log." in failed.stderr
    assert "trouble" in failed.stderr
    assert "made anew" in machine.start().stdout


@pytest.mark.parametrize("version", ["3.10", "3.9", "2.7", "3.14"])
def test_a_python_that_does_not_fit_is_named_with_the_way_out(machine: Machine, version: str) -> None:
    machine.have_python(version=version)
    said = machine.start()
    assert said.returncode == 1
    assert said.stderr.startswith(
        f"Error: Python 3.11, 3.12 or 3.13 is needed, and none was found. (Found: python3 is {version}.)"
    )
    assert "sudo apt install python3 python3-venv" in said.stderr
    assert not (machine.clone / ".venv").exists()


def test_a_shim_that_does_not_run_is_skipped(machine: Machine) -> None:
    machine.have("python3", "echo 'pyenv: python3: command not found' >&2; exit 127")
    machine.have_python("python3.11", "3.11")
    assert "environment (.venv, Python 3.11)" in machine.start().stdout


def test_a_person_may_name_the_python(machine: Machine) -> None:
    machine.have_python("my python", "3.13")
    assert "Python 3.13" in machine.start(PYTHON=str(machine.path / "my python")).stdout


def test_a_python_that_was_named_and_does_not_run_is_told_by_its_name(machine: Machine) -> None:
    said = machine.start(PYTHON="/nowhere/python3").stderr
    assert said.startswith("Error: PYTHON names /nowhere/python3, and that does not run.")


def test_the_bot_has_its_temporary_files_where_they_were_before_the_set_up(machine: Machine) -> None:
    assert "temporary files: where they always are" in machine.start().stderr
    shutil.rmtree(machine.clone / ".venv")
    assert "temporary files: /mine" in machine.start(TMPDIR="/mine").stderr


def test_a_python_without_venv_is_named(machine: Machine) -> None:
    machine.have("python3", 'case "$*" in *version_info*) echo 3.11 ;; *) exit 1 ;; esac')
    said = machine.start()
    assert "Error: python3 (3.11) comes without its venv module." in said.stderr
    assert "sudo apt install python3.11-venv" in said.stderr


@pytest.mark.parametrize("lacking", ["cc", "c++"])
def test_a_missing_compiler_is_said_before_anything_is_installed(machine: Machine, lacking: str) -> None:
    (machine.path / lacking).unlink()
    said = machine.start()
    assert said.returncode == 1
    assert said.stderr.startswith("Error: a C and C++ compiler is needed to compile llama.cpp, and none works here.")
    assert "sudo apt install build-essential" in said.stderr
    assert not (machine.clone / ".venv").exists()


def test_a_compiler_that_does_not_compile_is_none(machine: Machine) -> None:
    machine.have("c++", "echo 'fatal error: thread: No such file' >&2; exit 1")
    assert "none works here" in machine.start().stderr
    machine.have("g++", "exit 0")
    assert machine.start().returncode == 0


def test_too_little_disk_is_said_before_anything_is_installed(machine: Machine) -> None:
    machine.have("df", "echo Filesystem; echo disk 0 0 1572864 0% /")
    said = machine.start()
    assert said.returncode == 1
    assert said.stderr.startswith("Error: 2 GB of free disk are needed here, there are 1.5 GB.")
    assert not (machine.clone / ".venv").exists()


def test_a_disk_that_fills_up_on_the_way_is_said_even_when_the_log_broke_off(machine: Machine) -> None:
    machine.have("df", "read free <free; echo Filesystem; echo disk 0 0 $free 0% /")
    (machine.clone / "free").write_text("90000000\n", encoding="utf-8")
    said = machine.start(PIP_DOES="echo 9000 >free; echo 'OSError: [Errno 28] No sp'; exit 1")
    assert said.returncode == 1
    assert said.stderr.startswith(f"Error: the disk of {machine.clone} is full.")


def test_a_folder_that_cannot_be_written_is_said(machine: Machine) -> None:
    (machine.clone / "build").touch()
    said = machine.start()
    assert said.returncode == 1
    assert said.stderr.startswith(f"Error: this folder cannot be written: {machine.clone}")


def test_a_path_without_the_basic_commands_is_named_as_that(machine: Machine) -> None:
    for script in ("./start.sh", "./test.sh"):
        said = machine.bash(str(machine.path / "bash"), script, PATH="/nonexist")
        assert (said.returncode, said.stdout) == (1, "")
        assert said.stderr.startswith(
            "Error: commands of the system are needed that PATH does not lead to: awk cat cmp "
        )
        assert "PATH is /nonexist\n" in said.stderr
        assert f'PATH="/usr/bin:/bin:$PATH" {script}\n' in said.stderr
    assert not (machine.clone / "build").exists()
    machine.start()
    (machine.path / "cmp").unlink()
    said = machine.start()
    assert said.stderr.splitlines()[0].endswith(" that PATH does not lead to: cmp")
    assert said.stdout == ""


def test_the_scripts_start_from_wherever_they_are_called(machine: Machine, tmp_path: Path) -> None:
    machine.start()
    for folder, script in (
        (machine.clone, "start.sh"),
        (tmp_path, "clone/start.sh"),
        (tmp_path / "bin", str(machine.clone / "start.sh")),
    ):
        assert machine.bash("bash", "-c", f"cd '{folder}' && bash {script}").stdout == "bot: -m bot run\n"


def test_two_set_ups_at_once_do_not_mix(machine: Machine) -> None:
    (machine.clone / "build/setup.lock").mkdir(parents=True)
    lock = machine.clone / "build/setup.lock/pid"
    lock.write_text(f"{os.getpid()}\n", encoding="utf-8")
    assert f"Error: another set-up is running in this folder (process {os.getpid()})." in machine.start().stderr
    lock.write_text("99999999\n", encoding="utf-8")
    assert machine.start().returncode == 0
    assert not lock.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--port", "9000"], "./start.sh knows no --port; set port under [web] in bot.toml"),
        (["--host=0.0.0.0"], "./start.sh knows no --host=0.0.0.0; set host under [web] in bot.toml"),
        (
            ["--config", "a"],
            "./start.sh always reads bot.toml; for another file: .venv/bin/python -m bot --config FILE",
        ),
        (["doctor"], "./start.sh knows no doctor; it takes no arguments: what there is to set stands in bot.toml"),
    ],
)
def test_an_argument_that_start_does_not_know_is_said_before_anything_is_installed(
    machine: Machine, words: list[str], said: str
) -> None:
    refused = machine.start(*words)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"Error: {said}")
    assert not (machine.clone / ".venv").exists()


def test_the_first_look_knows_what_run_takes() -> None:
    from bot.cli import app, run  # noqa: F401 - adds its command

    taken = {name for option in vars(get_command(app))["commands"]["run"].params for name in option.opts}
    assert {*taken, "--help"} == before.KNOWN


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[web]\nport = 0\n[shop]\nname = 小满\n", 'bot.toml:4: text needs straight double quotes: name = "小满"'),
        ('[web]\nport = 0\nhost = "192.0.2.1"\n', "web.host: 192.0.2.1 is not an address of this machine"),
        ("[web]\nport = 0\nprot = 27861\n", "bot.toml:3: web.prot: no such key; did you mean web.port?"),
        ('[web]\nport = "0"\n', "bot.toml:2: web.port: a whole number is needed, without quotes: port = 0"),
        ("storage = 1\n[web]\nport = 0\n", "bot.toml:1: storage: a section, not a value: write [storage]"),
    ],
)
def test_a_slip_in_the_settings_is_said_before_anything_is_installed(machine: Machine, text: str, said: str) -> None:
    machine.settings(text)
    refused = machine.start()
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"Error: {said}")
    assert not (machine.clone / ".venv").exists()
    # The checks of the project need neither a port nor anybody's settings.
    assert machine.bash("bash", "-c", ". scripts/setup.sh; need check").returncode == 0


def test_settings_that_only_the_bot_can_judge_do_not_stop_the_set_up(machine: Machine) -> None:
    machine.settings('[shops.mine]\nname = "x"\nlanguage = "de"\n[storage]\nurl = "x"\n[web]\nport = 78000\n')
    assert machine.start().returncode == 0


def test_settings_that_are_gone_are_said_with_the_way_to_get_them_back(machine: Machine) -> None:
    (machine.clone / "bot.toml").unlink()
    said = machine.start()
    assert said.returncode == 2
    assert "`git checkout bot.toml` brings it back" in said.stderr


def test_a_taken_port_is_said_before_anything_is_installed_as_run_would(machine: Machine) -> None:
    with address.bound("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        machine.settings(f"[web]\nport = {port}\n")
        refused = machine.start()
        with pytest.raises(ConfigError) as caught, address.bound("127.0.0.1", port):
            pass
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == f"Error: {caught.value}\n"
    assert not (machine.clone / ".venv").exists()


@pytest.mark.parametrize(
    ("text", "file"), [("", "data/bot.db"), ('url = "sqlite:///kept/my.shop.db"', "kept/my.shop.db")]
)
def test_a_set_up_does_not_take_the_environment_from_a_bot_that_runs(machine: Machine, text: str, file: str) -> None:
    machine.settings(f"[web]\nport = 0\n[storage]\n{text}\n")
    place = Place.of(config.load(machine.clone / "bot.toml"), machine.clone)
    assert place.url.endswith(file)
    with RunLock(place.lock):
        refused = machine.start()
        with pytest.raises(StorageError) as caught, RunLock(place.lock):
            pass
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == f"Error: {caught.value}\n"
    assert machine.start().returncode == 0


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ("OSError: [Errno 28] No space left on device", "Error: the disk of"),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE",
            "Error: a downloaded package is not the one",
        ),
        ("ERROR: Could not find a version that satisfies", "Error: packages could not be downloaded;"),
        ("NewConnectionError: Temporary failure in name resolution", "Error: packages could not be downloaded;"),
    ],
)
def test_what_pip_stumbles_over_is_said_in_a_sentence(machine: Machine, trouble: str, said: str) -> None:
    failed = machine.start(PIP_DOES=f"echo '{trouble}'; exit 1")
    assert failed.returncode == 1
    assert failed.stderr.startswith(said)
    assert "tart again" in failed.stderr


# ------------------------------------------------------------------------------------------------ llama.cpp


def target(machine: Machine, **env: str) -> str:
    shown = '. scripts/setup.sh; choose_target; echo "$target | $why | ${CMAKE_ARGS:-} | ${PIP_CACHE_DIR:-}"'
    said = machine.bash("bash", "-c", shown, **env).stdout.strip().replace(str(machine.clone), "")
    return re.sub(r"(?<=/build/pip/)[0-9-]+", "OWN", said)


def test_cuda_is_chosen_only_where_compiler_and_driver_work(machine: Machine) -> None:
    machine.have("uname", "echo Linux")
    assert target(machine) == "the processor |  |  |"
    machine.have("nvcc", "exit 0")
    assert target(machine) == "the processor | nvcc is here, but no NVIDIA driver answers (nvidia-smi) |  |"
    machine.have("nvidia-smi", "exit 9")
    assert "the processor" in target(machine)
    machine.have("nvidia-smi", "exit 0")
    assert target(machine) == "NVIDIA | nvcc and a driver are here | -DGGML_CUDA=on | /build/pip/OWN"
    assert target(machine, ZHANGGUI_CPU="1") == "the processor | ZHANGGUI_CPU is set |  |"
    assert target(machine, CMAKE_ARGS="-DX=1") == "your CMAKE_ARGS | -DX=1 | -DX=1 | /build/pip/OWN"


def test_metal_is_chosen_on_apple_silicon(machine: Machine) -> None:
    machine.have("uname", 'case "$1" in -s) echo Darwin ;; -m) echo arm64 ;; esac')
    assert target(machine) == "Apple Metal |  | -DGGML_METAL=on | /build/pip/OWN"


def compiling(machine: Machine, *logs: str) -> list[str]:
    """What the line of the long step shows after each state of the log, ten seconds apart."""
    script = ['. scripts/setup.sh; mkdir -p build/llama; name="compiling llama.cpp" first= told=-1']
    for k, log in enumerate(logs):
        script.append(f"printf '%s\\n' '{log}' >>build/setup.log; compile_progress {k * 10}")
    return machine.bash("bash", "-c", "\n".join(script)).stdout.splitlines()


def test_the_long_step_counts_up_and_says_how_long_it_still_takes(machine: Machine) -> None:
    (machine.clone / "build").mkdir()
    assert compiling(
        machine,
        "begins",
        "  [2/200] cc a.c",
        "  [22/200] cc b.c",
        "  [23/200] cc c.c",
        "  [102/200] c++ d.cpp",
        "  [200/200] ld",
    ) == [
        "  … compiling llama.cpp  1 %",
        "  … compiling llama.cpp  11 %, about 2 min left",
        "  … compiling llama.cpp  51 %, about 1 min left",
        "  … compiling llama.cpp  100 %",
    ]
    # Interrupted at 102 of 200: ninja now counts the 98 that are left.
    (machine.clone / "build/setup.log").unlink()
    assert compiling(machine, "[0/98] again", "[2/98] cc e.c")[0].startswith("  … compiling llama.cpp  51 %")


@pytest.mark.parametrize("columns", [20, 80])
def test_the_living_line_never_wraps(machine: Machine, columns: int) -> None:
    """A line that wraps cannot be drawn over: each drawing would leave a row behind."""
    script = """. scripts/setup.sh; stty cols $0; mkdir -p build/llama
        name="llama.cpp for a processor with a name so long that no terminal of ordinary width has room" first= told=-1
        plain_progress 7; printf '[1/200] cc a.c\\n' >"$log"; compile_progress 3"""
    leader, follower = pty.openpty()
    try:
        with subprocess.Popen(
            ["bash", "-c", script, str(columns)],
            cwd=machine.clone,
            env={"PATH": str(machine.path), "TERM": "xterm", "LC_ALL": "C.UTF-8"},
            stdin=follower,
            stdout=follower,
            stderr=follower,
            preexec_fn=_own_terminal,
        ):
            pass
        drawn = os.read(leader, 10_000).decode().split("\r\x1b[K")[1:]
    finally:
        os.close(leader)
        os.close(follower)
    assert [line[:12] for line in drawn] == ["  … llama.cp", "  … llama.cp"]
    assert [len(line) for line in drawn] == [columns - 1] * 2


def _own_terminal() -> None:
    """What a login does: /dev/tty is the terminal on standard input."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_what_was_compiled_for_something_else_is_not_taken(machine: Machine) -> None:
    """Each set of CMAKE_ARGS has a cache of its own: pip would take any wheel that it has."""
    shown = '. scripts/setup.sh; choose_target; echo "$PIP_CACHE_DIR"'
    caches = {machine.bash("bash", "-c", shown, CMAKE_ARGS=args).stdout for args in ("-DA=1", "-DA=2", "-DA=1")}
    assert len(caches) == 2


def test_a_failed_compile_for_nvidia_says_how_to_go_on_without(machine: Machine) -> None:
    machine.have("uname", "echo Linux")
    machine.have("nvcc", "exit 0")
    machine.have("nvidia-smi", "exit 0")
    said = machine.start(PIP_DOES="case $* in *lock.txt*) echo 'error: nvcc'; exit 1;; esac")
    assert said.returncode == 1
    assert "Error: compiling llama.cpp for NVIDIA failed" in said.stderr
    assert "ZHANGGUI_CPU=1 ./start.sh" in said.stderr


# ------------------------------------------------------------------------------------------------ Ctrl-C


def _heed() -> None:
    """A shell cannot trap what was ignored when it began, as in a job that was sent to the background."""
    for how in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(how, signal.SIG_DFL)


@pytest.fixture
def napping(machine: Machine) -> Iterator[subprocess.Popen[str]]:
    """A set-up in the middle of a step that has a child of its own, as pip has a compiler."""
    pip = "sleep 300 & echo $! >child; wait"
    where = {"PATH": str(machine.path), "PIP_DOES": pip}
    running = subprocess.Popen(
        ["./start.sh"],
        cwd=machine.clone,
        env=where,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heed,  # no other thread runs here
    )
    child = machine.clone / "child"
    while not child.exists() or not child.read_text(encoding="utf-8").strip():
        assert running.poll() is None
    yield running
    running.kill()
    running.communicate()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_ends_everything_and_says_that_it_goes_on(
    machine: Machine, napping: subprocess.Popen[str], how: signal.Signals
) -> None:
    child = int((machine.clone / "child").read_text(encoding="utf-8"))
    napping.send_signal(how)
    _, said = napping.communicate(timeout=30)
    assert napping.returncode == 130
    assert said == "Interrupted. Start it again and it goes on.\n"
    assert not (machine.clone / "build/setup.lock").exists()
    # Gone, or a zombie that nobody has asked for yet.
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(child)], capture_output=True, text=True, check=False).stdout
    assert state.strip()[:1] in ("", "Z")


def test_the_checks_run_on_a_python_that_the_project_supports() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert Requirement(f"python{project['requires-python']}").specifier.contains(
        ".".join(map(str, sys.version_info[:2]))
    )


# ------------------------------------------------------------------------------------------------ documents


def commands() -> set[str]:
    """Every command as one types it: «run», «model list» …"""
    from bot.cli import app, ask, bench, customer, db, doctor, model, run  # noqa: F401 - each adds its commands

    out: set[str] = set()
    for name, command in vars(get_command(app))["commands"].items():
        below = vars(command).get("commands", {})
        out |= {f"{name} {each}" for each in below} or {name}
    return out


def test_the_readme_has_every_command_and_no_other() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text.partition("| Command | What it does |")[2].partition("\n\n")[0]
    cells = [line.split(" | ")[0] for line in table.splitlines()[2:]]
    named = {m[0].strip() for cell in cells for m in re.finditer(r"(?<=`)[a-z]+( [a-z]+)?(?=[ `])", cell)}
    assert named == commands()


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_files_that_a_document_names_are_there(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8").partition("## Doors for later")[0]
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    paths = re.findall(r"`((?:bot|adapters|inference|storage|demo|scripts|tests)/[^` ]*)`", text)
    assert [path for path in links + paths if not (ROOT / path).exists()] == []
