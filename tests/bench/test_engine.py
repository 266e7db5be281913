"""The bench itself: our side on the tiny pair, and a llama-server played by a loopback server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bench import random_pair
from bench.engine import Ours, Pair, Server, options, run, served
from bot.cli.bench import pair_of
from bot.config import Config
from bot.place import Place
from bot.ports import EngineInfo
from inference.llama import devices
from inference.llama.settings import Settings


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("pair")
    model, projector = random_pair.write("tiny", folder)
    info = EngineInfo(model="random tiny", title="Random", notes={}, prompt="full", fact_lines=0)
    settings = Settings(
        model=model, projector=projector, info=info, state_dir=folder, n_ctx=12_288, parallel=4, visual_tokens=16
    )
    return Pair(settings=settings, side=128, reply=64)


class _Door(BaseHTTPRequestHandler):
    asked: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        self.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        reply = json.dumps({"usage": {"completion_tokens": self.asked[-1]["max_tokens"]}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


@pytest.fixture
def door() -> Iterator[str]:
    _Door.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Door) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_server_is_asked_what_we_are_asked(pair: Pair, door: str) -> None:
    with served(pair, door + "/") as base:
        measured = Server(pair, base).evening()
    assert set(measured) == {"restart", "follow-up", "decode", "first", "in turn"}
    # A door that computes nothing may take as long for one token as for many: then there is no pace to tell.
    assert all(value is not None and value > 0 for name, value in measured.items() if name != "decode")
    longest = max((asked["messages"] for asked in _Door.asked), key=len)
    assert [message["role"] for message in longest] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert longest[1]["content"][0]["image_url"]["url"].startswith("data:image/jpeg;base64,")


def test_a_server_that_ends_at_once_is_said(pair: Pair) -> None:
    with pytest.raises(RuntimeError, match="ended at once"), served(pair, "/bin/false"):
        pass


def test_our_side_measures_everything(pair: Pair) -> None:
    document = run(pair, stock=False)
    figures = {figure["name"]: figure for figure in document["figures"]}
    assert len(figures) == 8
    assert all(figure["ours"] is not None for figure in figures.values())
    assert figures["first token, follow-up on the photo"]["missing"]
    assert json.loads(json.dumps(document)) == document


def test_what_cannot_be_run_is_said(pair: Pair) -> None:
    with pytest.raises(RuntimeError, match="there is no such file"):
        run(replace(pair, settings=replace(pair.settings, model=Path("none.gguf"))), stock=False)


def test_what_the_owner_set_is_what_is_measured(pair: Pair, tmp_path: Path) -> None:
    config = Config.model_validate(
        {
            "inference": {
                "model": str(pair.settings.model),
                "mmproj": str(pair.settings.projector),
                "n_ctx": 5120,
                "gpu_layers": 3,
                "threads": 2,
                "parallel": 2,
            },
            "photos": {"visual_tokens": 64},
        }
    )
    measured = pair_of(config, Place.of(config, tmp_path), tmp_path)
    s = measured.settings
    layers = 3 if devices.find() else 0  # for a card that is not there none are believed
    assert (s.n_ctx, s.gpu_layers, s.threads, s.parallel, s.visual_tokens) == (5120, layers, 2, 2, 64)
    ours = Ours(measured, tmp_path / "state").settings
    assert ours == replace(s, state_dir=tmp_path / "state", most_threads=0, sampling=replace(s.sampling, seed=1))
    theirs = options(measured, 80)
    said = {key: theirs[theirs.index(key) + 1] for key in ("-c", "-ngl", "-t", "-np", "--image-max-tokens")}
    assert said == {"-c": "5120", "-ngl": str(layers), "-t": "2", "-np": "2", "--image-max-tokens": "64"}


def test_a_random_vocabulary_has_the_size_that_was_asked_for() -> None:
    for size in (1000, 2048, 60_000):
        tokens, types, merges = random_pair.vocabulary(size)
        assert len(tokens) == len(types) == len(set(tokens)) == size
        assert tokens[-8:] == list(random_pair.SPECIAL)
        assert all(left + right in tokens for left, right in (merge.split(" ") for merge in merges[:200]))
