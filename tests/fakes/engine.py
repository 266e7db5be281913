"""An engine that answers by script: every behaviour of a model that the core must live with, without a model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from bot.answer import dump
from bot.errors import EngineError
from bot.model import Action, Answer, Photo, Seen, Timings, Tokens
from bot.ports import Chunk, EngineInfo, Estimate, Message, Request

FAST = Estimate(first_s=0.1, whole_s=0.3, ahead=0)
TOKENS = Tokens(prompt=100, reused=80, reply=10)
TIMINGS = Timings(queue_s=0.1, image_s=0.2, first_token_s=0.4, total_s=0.7)


def written(reply: str, action: Action = Action.NONE, seen: Seen | None = None) -> str:
    """An answer as the grammar writes it."""
    return dump(Answer(action=action, seen=seen, reply=reply))


@dataclass
class Hang:
    """Writes so much, then nothing more until ``go`` is set."""

    text: str = ""
    go: asyncio.Event = field(default_factory=asyncio.Event)
    #: Set when the engine has written all that comes before the pause.
    reached: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Loop:
    """Writes so much and is stopped: it repeats itself, or has written as much as it may."""

    text: str
    finish: str = "repetition"


#: What one request gets: the whole text, an error, or one of the above.
Answered = str | EngineError | Hang | Loop
Script = Sequence[Answered] | Callable[[Request], Answered]


class ScriptedEngine:
    """Implements :class:`bot.ports.Engine`. A list answers requests in order; a function is asked for each."""

    def __init__(
        self,
        script: Script = (),
        *,
        piece: int = 3,
        estimate: Estimate = FAST,
        fact_lines: int = 3,
    ) -> None:
        self._script = script if callable(script) else list(script)
        self._piece = piece
        self._estimate = estimate
        self.info = EngineInfo(
            model="scripted",
            title="A script",
            notes={"zh": "照本宣科。", "en": "It answers by script."},
            prompt="brief",
            fact_lines=fact_lines,
        )
        self.requests: list[Request] = []
        #: Requests whose stream was closed before its end.
        self.cancelled: list[Request] = []
        #: Requests that are answered now, and the most that ever were at once.
        self.running = 0
        self.most_running = 0
        #: System text and photos that were to be prepared.
        self.warmed: list[tuple[Message, tuple[Photo, ...]]] = []
        self.warming = asyncio.Event()
        #: What preparing meets.
        self.warm_error: EngineError | None = None
        self.warm_hangs = False
        self.forgotten: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
        #: Why it answers nothing, when it does not.
        self.trouble: str | None = None

    async def __aenter__(self) -> ScriptedEngine:
        return self

    async def __aexit__(self, *exc: object) -> None: ...

    def ready(self) -> str | None:
        return self.trouble

    async def answer(self, request: Request) -> AsyncIterator[Chunk]:
        self.requests.append(request)
        script = self._script
        answered = script(request) if callable(script) else script.pop(0)
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        done = False
        try:
            await asyncio.sleep(0)
            if isinstance(answered, EngineError):
                raise answered
            text = answered if isinstance(answered, str) else answered.text
            for at in range(0, len(text), self._piece):
                yield Chunk(text=text[at : at + self._piece])
            if isinstance(answered, Hang):
                answered.reached.set()
                await answered.go.wait()
            done = True
            finish = answered.finish if isinstance(answered, Loop) else "stop"
            yield Chunk(text="", done=True, finish=finish, timings=TIMINGS, tokens=TOKENS)
        except EngineError:
            done = True
            raise
        finally:
            self.running -= 1
            if not done:
                self.cancelled.append(request)

    def estimate(self, request: Request) -> Estimate:
        return self._estimate

    async def warm(self, system: Message, photos: Sequence[Photo] = ()) -> None:
        self.warmed.append((system, tuple(photos)))
        self.warming.set()
        if self.warm_hangs:
            await asyncio.Event().wait()
        if self.warm_error is not None:
            raise self.warm_error

    async def forget(self, conversations: Sequence[str], photos: Sequence[str]) -> None:
        self.forgotten.append((tuple(conversations), tuple(photos)))
