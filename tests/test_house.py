"""The whole bot as its owner runs it: the real commands, the shipped model, real processes.

Everything here goes through ``python -m bot`` and the loopback address, as a user would.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).resolve().parent.parent

#: Seconds until a start or an end is given up; generous, since test machines are slow.
PATIENCE = 60.0


@dataclass
class Shop:
    """A folder with a ``bot.toml`` of its own, beside the repository's shop and model."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "bot.toml"

    def command(self, *args: str) -> list[str]:
        return [sys.executable, "-m", "bot", "--config", str(self.config), *args]

    def run(self, *args: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*args), cwd=ROOT, input=stdin, capture_output=True, text=True, timeout=300, check=False
        )

    def ask(self, text: str, *photos: Path, customer: str = "me") -> dict[str, Any]:
        args = [part for photo in photos for part in ("--photo", str(photo))]
        done = self.run("ask", "--json", "--customer", customer, *args, text)
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


@dataclass
class Running:
    process: subprocess.Popen[str]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    (tmp_path / "bot.toml").write_text(
        f'[shop]\nknowledge = "{ROOT / "demo"}"\n[web]\nport = 0\n[inference]\nn_ctx = 4096\n', encoding="utf-8"
    )
    return Shop(tmp_path)


@pytest.fixture
def started(shop: Shop) -> Iterator[Any]:
    """Starts bots; all are stopped at the end."""
    running: list[Running] = []

    def start() -> Running:
        with (shop.folder / "log").open("a") as log:
            process = subprocess.Popen(
                shop.command("run"), cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, text=True, start_new_session=True
            )
        door = shop.folder / "data" / "bot.door.json"
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and process.poll() is None:
            try:
                found = json.loads(door.read_text())
                if found["pid"] == process.pid:
                    ready = httpx.get(f"http://127.0.0.1:{found['port']}/readyz", trust_env=False)
                    if ready.status_code == 200:
                        running.append(Running(process, found["port"]))
                        return running[-1]
            except (OSError, ValueError, httpx.HTTPError):
                pass
            time.sleep(0.05)
        raise AssertionError((shop.folder / "log").read_text()[-2000:])

    yield start
    for each in running:
        if each.process.poll() is None:
            os.killpg(each.process.pid, signal.SIGKILL)
            each.process.wait()


def a_photo(name: str = "") -> Path:
    photos = sorted((ROOT / "demo" / "pictures").glob("*.jpg"))
    return next(photo for photo in photos if name in photo.name)


def test_a_photo_question_is_answered_and_the_follow_up_costs_its_own_words_only(shop: Shop, started: Any) -> None:
    started()
    first = shop.ask("这是什么颜色的？有破损吗？", a_photo("mug-striped-red"))
    assert "红" in first["reply"]
    assert first["source"] == "model"
    second = shop.ask("是什么花纹？")
    assert second["reply"]
    # What is not reused: the follow-up's own words and the frame around them.
    assert second["tokens"]["prompt"] - second["tokens"]["reused"] < 60
    assert second["timings"]["image_s"] == 0


def test_after_a_restart_the_shop_prompt_is_not_computed_and_the_history_is_there(shop: Shop, started: Any) -> None:
    bot = started()
    shop.ask("这是什么？", a_photo("mug-striped-red"))
    system = shop.ask("你好", customer="another")["tokens"]["reused"]
    assert bot.stop() == 0
    started()
    assert shop.ask("你好", customer="a third")["tokens"]["reused"] >= system
    answer = shop.ask("刚才那个是什么颜色？")
    assert "红" in answer["reply"]


def test_a_second_bot_on_the_same_data_is_refused_and_other_commands_work_beside_the_first(
    shop: Shop, started: Any
) -> None:
    started()
    second = shop.run("run")
    assert second.returncode == 1
    assert "runs on this data already" in second.stderr
    assert "Traceback" not in second.stderr
    assert shop.run("db", "check").returncode == 0
    assert shop.run("db", "backup", str(shop.folder / "copy.zip")).returncode == 0


def test_sigterm_leaves_nothing_running_and_an_open_page_does_not_hold_it(shop: Shop, started: Any) -> None:
    bot = started()
    with httpx.stream("GET", bot.url + "/", trust_env=False) as page:
        assert page.status_code == 200
        assert bot.stop() == 0
    assert not (shop.folder / "data" / "bot.door.json").exists()


def test_what_was_accepted_before_a_kill_is_answered_after_the_next_start(shop: Shop, started: Any) -> None:
    bot = started()
    shop.ask("你好")
    bot.process.kill()
    bot.process.wait()
    with sqlite3.connect(shop.folder / "data" / "bot.db") as database:
        database.execute("UPDATE events SET done_at = NULL")
        before = database.execute("SELECT count(*) FROM said WHERE speaker = 'bot'").fetchone()[0]
    database.close()
    started()
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        database = sqlite3.connect(shop.folder / "data" / "bot.db")
        said = database.execute("SELECT count(*) FROM said WHERE speaker = 'bot'").fetchone()[0]
        open_ = database.execute("SELECT count(*) FROM events WHERE done_at IS NULL").fetchone()[0]
        database.close()
        if said == before + 1 and not open_:
            return
        time.sleep(0.2)
    raise AssertionError("the event was not answered again")


def test_one_process_answers_a_line_each_with_jsonl(shop: Shop) -> None:
    cut = shop.folder / "cut.jpg"
    cut.write_bytes(a_photo().read_bytes()[:900])
    lines = [
        {"customer": "a", "text": "你好"},
        {"customer": "b", "text": "包邮吗？"},
        "not a question",
        {"customer": "c", "text": " "},
        {"customer": "c", "text": 5},
        {"customer": "c", "text": "", "photos": [str(cut)]},
    ]
    done = shop.run("ask", "--jsonl", stdin="\n".join(json.dumps(line) for line in lines) + "\n")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [bool(answer.get("reply")) for answer in answers] == [True, True, False, False, False, False]
    assert "line 3" in answers[2]["error"]
    assert answers[3]["error"] == "line 4: say something, or give a photo"
    assert "customer and text are texts" in answers[4]["error"]
    assert answers[5]["error"] == f"{cut}: the file is incomplete; take or save the picture again"
    assert done.returncode == 1
    good = shop.run("ask", "--jsonl", stdin=json.dumps(lines[0]) + "\n")
    assert good.returncode == 0


def test_a_customer_is_exported_and_then_erased_everywhere(shop: Shop, started: Any) -> None:
    started()
    shop.ask("记住这句暗号九霄云外", a_photo("mug-striped-red"), customer="leaving")
    out = shop.folder / "leaving.zip"
    done = shop.run("customer", "export", "ask:local:leaving", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "1 photos" in done.stdout
    done = shop.run("customer", "erase", "ask:local:leaving", "--yes")
    assert done.returncode == 0, done.stderr
    assert shop.run("customer", "export", "ask:local:leaving").returncode == 1
    held = b"".join(path.read_bytes() for path in (shop.folder / "data").rglob("*") if path.is_file())
    assert "九霄云外".encode() not in held
    assert not list((shop.folder / "data" / "photos").rglob("*.jpg"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[shop]\nnmae = 'x'\n", ":2: shop.nmae: no such key; did you mean shop.name?"),
        ("[web]\nport = 'x'\n", ":2: web.port:"),
        ("[adapters.telegram]\nenabled = true\n", "TELEGRAM_TOKEN is not set"),
        ("[inference]\nmodel = 'qwen3-vl-9b'\n", "qwen3-vl-9b"),
        ("[shop\n", "not valid TOML"),
    ],
)
def test_a_wrong_configuration_is_one_sentence_that_names_key_and_line(shop: Shop, text: str, says: str) -> None:
    shop.config.write_text(text, encoding="utf-8")
    done = shop.run("run")
    assert done.returncode in {1, 2}
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_said_with_the_way_out(shop: Shop, started: Any) -> None:
    bot = started()
    other = Shop(shop.folder / "other")
    other.folder.mkdir()
    other.config.write_text(f'[shop]\nknowledge = "{ROOT / "demo"}"\n[web]\nport = {bot.port}\n', encoding="utf-8")
    done = other.run("run")
    assert done.returncode == 2
    assert f"{bot.port} cannot be used" in done.stderr


def test_a_bot_that_is_switched_off_says_so_and_its_model_is_tried_all_the_same(shop: Shop) -> None:
    shop.config.write_text(shop.config.read_text() + '[dialogue]\nmode = "off"\n', encoding="utf-8")
    answer = shop.ask("你好")
    assert (answer["reply"], answer["mode"], answer["holder"], answer["model"]) == ("", "off", "bot", "")
    done = shop.run("ask", "你好")
    assert done.returncode == 0, done.stderr
    assert "the bot is switched off" in done.stdout
    done = shop.run("model", "check")
    assert done.returncode == 0, done.stderr
    assert re.search(r"it answers: .+ \([0-9.]+ s\)", done.stdout)


def test_doctor_finds_the_shipped_shop_well_and_a_missing_model_not(shop: Shop) -> None:
    done = shop.run("doctor", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout
    assert found["ok"]
    # Whoever looks changes nothing: neither in an empty folder nor beside a database.
    assert [path.name for path in shop.folder.iterdir()] == ["bot.toml"]
    assert shop.run("db", "upgrade").returncode == 0
    before = {path: path.read_bytes() for path in (shop.folder / "data").rglob("*") if path.is_file()}
    assert shop.run("doctor").returncode == 0
    assert before == {path: path.read_bytes() for path in (shop.folder / "data").rglob("*") if path.is_file()}
    written = shop.config.read_text()
    shop.config.write_text(written + 'model = "/nowhere/model.gguf"\n', encoding="utf-8")
    done = shop.run("doctor", "--json")
    assert done.returncode == 1
    assert any(not f["ok"] and f["part"] == "model" for f in json.loads(done.stdout)["findings"])
    # A model beside the configuration is found there, and what this machine cannot bear is no tick.
    shop.folder.joinpath("models").symlink_to(ROOT / "inference" / "demo")
    huge = written.replace("n_ctx = 4096", 'n_ctx = 200_000_000\nmodel = "models/demo.gguf"')
    shop.config.write_text(huge, encoding="utf-8")
    done = shop.run("doctor", "--json")
    [lacking] = [f for f in json.loads(done.stdout)["findings"] if not f["ok"]]
    assert done.returncode == 1
    assert lacking["part"] == "hardware"
    assert "the model needs" in lacking["what"]
