"""A shop's evening on one model pair: how long customers wait for the first token, and who computes what again.

Ours beside the stock handler of llama-cpp-python and, where one is given, llama-server: the same files, threads,
photos and words, in the same run. Every figure is a median; each side has a process of its own, so that none inherits
the other's caches.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import pickle
import resource
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from bench.figures import Figure, machine
from bot import answer
from bot.model import Photo
from bot.ports import Message, Request
from inference.llama.engine import LlamaEngine
from inference.llama.settings import Settings

#: About 730 tokens of Qwen's vocabulary, as a shop's policy is.
SYSTEM = "你是小满杂货的客服，说话简短、亲切、准确。" + "".join(
    f"第{n}条：商品签收后七天内可以无理由退换货，运费由责任方承担，定制商品除外；" for n in range(1, 24)
)
#: The answer's form without the record of what is seen: random weights would fill all of it, and say nothing else.
SCHEMA = {**answer.SCHEMA, "properties": {k: v for k, v in answer.SCHEMA["properties"].items() if k != "seen"}}
QUESTIONS = ("这件衣服是什么材质？", "有其他颜色吗？", "多少钱？", "什么时候能发货？")
CUSTOMERS = 4
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What all sides run: the files, and what the bot's own engine is told on this machine."""

    settings: Settings
    #: Pixels along a photo's side.
    side: int = 512
    #: Most tokens of an answer.
    reply: int = 48


def picture(number: int, side: int) -> bytes:
    """A photo's JPEG, drawn from its number."""
    colours = np.random.default_rng(number).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(colours).resize((side, side)).save(out, "JPEG", quality=90)
    return out.getvalue()


# ------------------------------------------------------------------------------------------------ ours


class Ours:
    """One run of the engine: what was measured, by name."""

    def __init__(self, pair: Pair, state_dir: Path) -> None:
        self._pair, self._state_dir = pair, state_dir
        self.seconds: dict[str, list[float]] = {}
        #: (estimated, taken) until the first word, and in all.
        self.first: list[tuple[float, float]] = []
        self.whole: list[tuple[float, float]] = []
        self.decode: list[float] = []

    def engine(self) -> LlamaEngine:
        return LlamaEngine(self.settings, lambda sha256: picture(int(sha256, 16), self._pair.side))

    @property
    def settings(self) -> Settings:
        """As the bot runs it, but repeatable, and with the threads that the peers get as well."""
        configured = self._pair.settings
        return replace(
            configured,
            state_dir=self._state_dir,
            most_threads=0,
            sampling=replace(configured.sampling, seed=1),
        )

    def photo(self, number: int) -> Photo:
        side = self._pair.side
        return Photo(sha256=f"{number:064x}", media_type="image/jpeg", width=side, height=side)

    async def ask(self, engine: LlamaEngine, name: str, customer: int, messages: Sequence[Message]) -> str:
        wanted = Request(
            conversation=f"customer {customer}",
            messages=tuple(messages),
            schema=SCHEMA,
            max_tokens=self._pair.reply,
        )
        expected, started = engine.estimate(wanted), time.perf_counter()
        text, reader, word = "", answer.Reader(), None
        async for chunk in engine.answer(wanted):
            text += chunk.text
            if reader.feed(chunk.text) and word is None:
                word = time.perf_counter() - started
            if chunk.timings and chunk.tokens:
                timings = chunk.timings
                self.seconds.setdefault(name, []).append(timings.first_token_s)
                self.whole.append((expected.whole_s, timings.total_s))
                if chunk.tokens.reply > 8:
                    self.decode.append(chunk.tokens.reply / max(1e-9, timings.total_s - timings.first_token_s))
        if word is not None:
            self.first.append((expected.first_s, word))
        return text

    async def evening(self) -> None:
        system = Message(role="system", body=(SYSTEM,))
        talks: dict[int, list[Message]] = {}
        async with self.engine() as engine:
            await engine.warm(system)
            for customer in range(CUSTOMERS):
                question = Message(role="user", body=(self.photo(customer + 1), QUESTIONS[0]))
                talk = [system, question]
                said = await self.ask(engine, "first", customer, talk)
                talks[customer] = [*talk, Message(role="assistant", body=(said,))]
                if not customer:
                    for words in QUESTIONS[1:3]:
                        talks[0].append(Message(role="user", body=(words,)))
                        said = await self.ask(engine, "follow-up", 0, talks[0])
                        talks[0].append(Message(role="assistant", body=(said,)))
            for words in QUESTIONS[1:3]:
                for customer, talk in talks.items():
                    talk.append(Message(role="user", body=(words,)))
                    said = await self.ask(engine, "in turn", customer, talk)
                    talk.append(Message(role="assistant", body=(said,)))
        async with self.engine() as engine:
            question = Message(role="user", body=(self.photo(99), QUESTIONS[0]))
            await self.ask(engine, "restart", 99, [system, question])


def ours(pair: Pair) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        run = Ours(pair, Path(folder))
        asyncio.run(run.evening())
    return {
        **{name: median(values) for name, values in run.seconds.items()},
        "decode": median(run.decode),
        "estimate first": median(abs(guess - taken) / taken for guess, taken in run.first) if run.first else None,
        "estimate whole": median(abs(guess - taken) / taken for guess, taken in run.whole),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


# ------------------------------------------------------------------------------------------------ peers


def _chat(messages: Sequence[tuple[str, int | None, str]], side: int) -> list[dict[str, Any]]:
    """(role, number of a photo, words) in the form of OpenAI's chat."""
    out = []
    for role, number, words in messages:
        content: list[dict[str, Any]] = []
        if number is not None:
            data = base64.b64encode(picture(number, side)).decode()
            content.append({"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}})
        content.append({"type": "text", "text": words})
        out.append({"role": role, "content": content if role == "user" else words})
    return out


class Peer:
    """A chat that remembers nothing: each request carries everything. ``call`` returns when one token is there."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair

    def call(self, messages: list[dict[str, Any]], tokens: int) -> int:
        """Asks for so many tokens at most; returns how many came."""
        raise NotImplementedError

    def timed(self, talk: Sequence[tuple[str, int | None, str]]) -> float:
        """Seconds until the first token."""
        started = time.perf_counter()
        self.call(_chat(talk, self.pair.side), 1)
        return time.perf_counter() - started

    def decode(self, talk: Sequence[tuple[str, int | None, str]]) -> float | None:
        """Tokens a second after the first one; ``None`` when too few came to tell."""
        first, started = self.timed(talk), time.perf_counter()
        tokens = self.call(_chat(talk, self.pair.side), 33) - 1
        seconds = time.perf_counter() - started - first
        return tokens / seconds if tokens >= 8 and seconds > 0 else None

    def evening(self) -> dict[str, float | None]:
        said = ("assistant", None, "好的。")
        talks = {n: [("system", None, SYSTEM), ("user", n + 1, QUESTIONS[0])] for n in range(CUSTOMERS)}
        out: dict[str, float | None] = {"restart": self.timed(talks[0])}
        again = [*talks[0], said, ("user", None, QUESTIONS[1])]
        out["follow-up"] = self.timed(again)
        out["decode"] = self.decode([("system", None, SYSTEM), ("user", None, QUESTIONS[2])])
        out["first"] = median(self.timed(talks[n]) for n in range(1, CUSTOMERS))
        turns = []
        for words in QUESTIONS[1:3]:
            for talk in talks.values():
                talk += [said, ("user", None, words)]
                turns.append(self.timed(talk))
        out["in turn"] = median(turns)
        return out


class Stock(Peer):
    """``llama_chat_format.MTMDChatHandler``, as llama-cpp-python's own documentation uses it."""

    def __init__(self, pair: Pair) -> None:
        super().__init__(pair)
        from llama_cpp import Llama
        from llama_cpp.llama_chat_format import MTMDChatHandler

        s = pair.settings
        handler = MTMDChatHandler(str(s.projector), verbose=False, use_gpu=s.gpu_layers != 0)
        self._llama = Llama(
            str(s.model),
            chat_handler=handler,
            n_ctx=s.n_ctx // 2,
            n_gpu_layers=s.gpu_layers,
            n_threads=s.threads,
            verbose=False,
        )
        self._llama.n_threads_batch = s.threads

    def call(self, messages: list[dict[str, Any]], tokens: int) -> int:
        said: Any = self._llama.create_chat_completion(messages, max_tokens=tokens, temperature=0.7)
        return int(said["usage"]["completion_tokens"])


class Server(Peer):
    """llama-server over its OpenAI door."""

    def __init__(self, pair: Pair, base: str) -> None:
        super().__init__(pair)
        self._base = base

    def call(self, messages: list[dict[str, Any]], tokens: int) -> int:
        body = {"messages": messages, "max_tokens": tokens, "ignore_eos": True, "cache_prompt": True}
        request = urllib.request.Request(
            f"{self._base}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=600) as reply:
            return int(json.load(reply)["usage"]["completion_tokens"])


def options(pair: Pair, port: int) -> list[str]:
    """llama-server's arguments for what our side is told."""
    s = pair.settings
    out = ["-m", str(s.model), "--mmproj", str(s.projector), "-c", str(s.n_ctx), "-np", str(s.parallel)]
    out += ["-ngl", str(s.gpu_layers), "-t", str(s.threads), "--image-max-tokens", str(s.visual_tokens), "-ub", "512"]
    return [*out, "--port", str(port), "--host", "127.0.0.1", "--no-warmup"]


@contextmanager
def served(pair: Pair, program: str) -> Iterator[str]:
    """The address of llama-server: ``program`` is one already, or the path of the program, which is started."""
    if program.startswith(("http://", "https://")):
        yield program.rstrip("/")
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([program, *options(pair, port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    base = f"http://127.0.0.1:{port}"
    try:
        _await(f"{base}/health", process)
        yield base
    finally:
        process.terminate()
        process.wait(30)


def _await(address: str, process: subprocess.Popen[bytes], patience: float = 300) -> None:
    """Waits until a server answers. Raises :class:`RuntimeError` when it ends or does not come up."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"llama-server ended at once (code {process.returncode})")
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError("llama-server did not come up")


# ------------------------------------------------------------------------------------------------ the run


def _apart(part: str, pair: Pair, server: str = "") -> dict[str, float | None]:
    """Runs one side in a process of its own. Raises :class:`RuntimeError` with what it said when it fails."""
    order = pickle.dumps((part, pair, server))
    command = [sys.executable, "-m", "bench.engine"]
    done = subprocess.run(command, input=order, capture_output=True, check=False, cwd=ROOT)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise RuntimeError(f"{part}: {said[-1] if said else 'it failed'}")
    out: dict[str, float | None] = json.loads(done.stdout.splitlines()[-1])
    return out


def run(pair: Pair, *, server: str | None = None, stock: bool = True) -> dict[str, Any]:
    """The document of ``bench engine --json``. ``server``: path or address of llama-server, else ``LLAMA_SERVER``."""
    server = server or os.environ.get("LLAMA_SERVER", "")
    mine = _apart("ours", pair)
    peers: dict[str, dict[str, float | None]] = {
        "stock": _apart("stock", pair) if stock else {},
        "llama-server": _apart("llama-server", pair, server) if server else {},
    }
    missing = "" if server else "set LLAMA_SERVER to the llama-server built from the same llama.cpp"

    def figure(name: str, key: str, unit: str = "s", target: str | None = None) -> Figure:
        beside = {peer: values.get(key) for peer, values in peers.items()}
        return Figure(name=name, unit=unit, ours=mine.get(key), peers=beside, target=target, missing=missing)

    figures = [
        figure("first token, new customer with a photo", "first", target="≤ 1.1 llama-server"),
        figure("first token, follow-up on the photo", "follow-up", target="≤ 1.1 llama-server"),
        figure("first token, follow-ups of four customers in turn", "in turn", target="≤ 0.25 llama-server"),
        figure("first token, first customer after a restart", "restart", target="≤ 0.6 llama-server"),
        figure("decode", "decode", "tokens/s"),
    ]
    alone = [
        Figure(name="estimate of the first word, median error", unit="", ours=mine["estimate first"], target="≤ 0.3"),
        Figure(name="estimate of the whole answer, median error", unit="", ours=mine["estimate whole"], target="≤ 0.5"),
        Figure(name="memory at most", unit="MiB", ours=mine["memory"]),
    ]
    s = pair.settings
    about = {
        "name": s.info.model,
        "bytes": s.model.stat().st_size + s.projector.stat().st_size,
        "n_ctx": s.n_ctx,
        "parallel": s.parallel,
        "gpu_layers": s.gpu_layers,
        "threads": s.threads,
        "visual_tokens": s.visual_tokens,
    }
    return {"machine": machine(), "pair": about, "figures": [each.raw() for each in (*figures, *alone)]}


def main() -> None:
    """One side of a run: the order on stdin, what was measured on stdout."""
    part, pair, server = pickle.load(sys.stdin.buffer)
    if part == "ours":
        measured: dict[str, Any] = ours(pair)
    elif part == "stock":
        measured = dict(Stock(pair).evening())
    else:
        with served(pair, server) as base:
            measured = dict(Server(pair, base).evening())
    print(json.dumps(measured), flush=True)
    # The stock handler fails when the interpreter takes it apart; nothing is left to be saved.
    os._exit(0)


if __name__ == "__main__":
    main()
