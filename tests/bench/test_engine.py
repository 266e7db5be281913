"""The bench itself: our side on the tiny pair, and a llama-server played by a loopback server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from bench import random_pair
from bench.engine import Pair, Server, run, served


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    model, projector = random_pair.write("tiny", tmp_path_factory.mktemp("pair"))
    return Pair(
        name="random tiny",
        model=str(model),
        projector=str(projector),
        threads=1,
        visual_tokens=16,
        n_ctx=12_288,
        side=128,
        reply=64,
    )


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
    assert all(value is not None and value > 0 for value in measured.values())
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
        run(replace(pair, model="none.gguf"), stock=False)


def test_a_random_vocabulary_has_the_size_that_was_asked_for() -> None:
    for size in (1000, 2048, 60_000):
        tokens, types, merges = random_pair.vocabulary(size)
        assert len(tokens) == len(types) == len(set(tokens)) == size
        assert tokens[-8:] == list(random_pair.SPECIAL)
        assert all(left + right in tokens for left, right in (merge.split(" ") for merge in merges[:200]))
