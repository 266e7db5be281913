"""``customer``: whom an ID names, and who there is."""

from __future__ import annotations

import asyncio
import json
import stat
import threading
import zipfile
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from bot import config
from bot.app import kept
from bot.cli import app, customer, doctor, run  # noqa: F401 - each adds its commands
from bot.errors import BotError, ConfigError, StorageError
from bot.model import Customer, Event
from bot.place import Place

U1 = Customer(channel="ask", account="local", id="u1")
U2 = Customer(channel="ask", account="local", id="u2")
OTHER_U2 = Customer(channel="telegram", account="7", id="u2")


@pytest.mark.parametrize(("text", "who"), [("u1", U1), ("ask:local:u1", U1), ("ask:local:u2", U2)])
def test_a_whole_id_or_a_last_part_that_is_one_persons_names_him(text: str, who: Customer) -> None:
    assert customer.one([U1, U2, OTHER_U2], text) == who


def test_a_last_part_of_several_and_an_id_of_nobody_are_said_with_the_way_out() -> None:
    with pytest.raises(BotError, match="u2 is the last part of several IDs: ask:local:u2, telegram:7:u2; give the"):
        customer.one([U1, U2, OTHER_U2], "u2")
    for text in ("u9", "ask:local:u9", "local:u1"):
        with pytest.raises(BotError, match=rf"nothing is held of {text}\. .*`python -m bot customer list` shows"):
            customer.one([U1, U2, OTHER_U2], text)


@pytest.fixture
def settings(tmp_path: Path) -> str:
    path = tmp_path / "bot.toml"
    path.write_text("", encoding="utf-8")
    return str(path)


async def write(settings: str) -> None:
    events = [
        Event(id=f"{who.id}{k}", customer=who, at=datetime(2026, 1, k, tzinfo=UTC), text="九霄云外")
        for who, days in ((U1, (1, 2)), (OTHER_U2, (3,)))
        for k in days
    ]
    place = Place.of(config.load(Path(settings)), Path(settings).parent)
    async with kept(config.Config(), place) as (store, _):
        await store.accept(events)


def test_the_list_shows_who_there_is_and_nothing_that_was_said(
    settings: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(write(settings))
    app(["--config", settings, "customer", "list"], standalone_mode=False)
    said = capsys.readouterr().out
    heading, *rows = (line.split() for line in said.splitlines())
    zone = f"({datetime.now().astimezone().tzname()})"
    assert heading == ["id", "channel", "since", zone, "last", "message", zone, "messages"]
    assert sorted((row[0], row[1], row[-1]) for row in rows) == [
        ("ask:local:u1", "ask", "2"),
        ("telegram:7:u2", "telegram", "1"),
    ]
    assert "九霄云外" not in said
    app(["--config", settings, "customer", "list", "--json"], standalone_mode=False)
    told = json.loads(capsys.readouterr().out)
    assert {each["id"]: (each["last"][:10], each["messages"]) for each in told} == {
        "ask:local:u1": ("2026-01-02", 2),
        "telegram:7:u2": ("2026-01-03", 1),
    }


def test_who_looks_after_customers_needs_no_token_of_a_platform(
    settings: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TELEGRAM_TOKEN", raising=False)
    asyncio.run(write(settings))
    Path(settings).write_text("[adapters.telegram]\nenabled = true\n", encoding="utf-8")
    out = str(tmp_path / "u2.zip")
    for words in (["list"], ["export", "telegram:7:u2", "--out", out], ["erase", "telegram:7:u2", "--yes"]):
        app(["--config", settings, "customer", *words], standalone_mode=False)
    assert "erased; 0 photos removed" in capsys.readouterr().out
    # Who talks to a platform does.
    for command in ("run", "doctor"):
        with pytest.raises(ConfigError, match="the environment variable TELEGRAM_TOKEN is not set"):
            app(["--config", settings, command], standalone_mode=False)


def test_a_list_of_nobody_makes_no_database(settings: str, capsys: pytest.CaptureFixture[str]) -> None:
    app(["--config", settings, "customer", "list"], standalone_mode=False)
    assert capsys.readouterr().out == "nobody has written yet\n"
    assert [path.name for path in Path(settings).parent.iterdir()] == ["bot.toml"]


def test_an_export_takes_a_last_part_and_is_never_written_over_a_file(settings: str, tmp_path: Path) -> None:
    asyncio.run(write(settings))
    out = tmp_path / "u1.zip"
    app(["--config", settings, "customer", "export", "u1", "--out", str(out)], standalone_mode=False)
    before = out.read_bytes()
    with pytest.raises(BotError, match=r"u1\.zip: exists already; name another with --out"):
        app(["--config", settings, "customer", "export", "u2", "--out", str(out)], standalone_mode=False)
    assert out.read_bytes() == before


def test_a_lost_photo_is_named_and_the_rest_is_handed_out_to_the_owner_alone(tmp_path: Path) -> None:
    def read(sha256: str) -> bytes:
        if sha256 == "b":
            raise StorageError("its file was lost")
        return b"jpeg"

    out = tmp_path / "u1.zip"
    assert customer._pack(out, {"customer": "u1"}, ["a", "b"], read) == (1, ["b"])
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with zipfile.ZipFile(out) as archive:
        assert sorted(archive.namelist()) == ["customer.json", "photos/a.jpg"]
        assert json.loads(archive.read("customer.json"))["photos_lost"] == ["b"]
    assert [path.name for path in tmp_path.iterdir()] == ["u1.zip"]


def test_an_export_that_fails_leaves_no_file_that_exists_already(tmp_path: Path) -> None:
    def read(_: str) -> bytes:
        raise OSError(28, "No space left on device")

    with pytest.raises(BotError, match=r"u1\.zip: cannot be written \(No space left"):
        customer._pack(tmp_path / "u1.zip", {}, ["a"], read)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("status", "said"), [(200, ""), (403, "status 403"), (0, "RemoteProtocolError")])
def test_what_the_running_bot_says_of_an_erasure_is_heard(status: int, said: str) -> None:
    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if status:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Silent."""

    with HTTPServer(("127.0.0.1", 0), Door) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        remains = asyncio.run(customer._forget({"port": server.server_port, "token": "t"}))
        server.shutdown()
        thread.join()
    assert bool(remains) == bool(said)
    assert said in remains
    assert not remains or "forgets at its next start" in remains
