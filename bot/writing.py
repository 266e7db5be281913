"""One turn being written: the model called, each sentence past the guard before anybody sees it, and what it took.

What the guard stops is tried once more with the reason; then the safe sentence is said.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from time import monotonic

from bot import answer as form
from bot import prompt, slow
from bot.errors import EngineError
from bot.guard import Guard
from bot.model import (
    Action,
    Answer,
    Conversation,
    Exchange,
    Fact,
    Facts,
    Language,
    Photo,
    Seen,
    Timings,
    Tokens,
    Trace,
)
from bot.ports import Engine, Estimate, Request
from bot.sentences import Sentences, repeats
from bot.voice import Voice

log = logging.getLogger(__name__)

#: Words beside a call for a person («已为您转接») or a look-up (the name of what was seen) are never said, so they
#: are no reason to ask again.
_UNSAID = (Action.PERSON, Action.LOOK_UP)
_CALL = re.compile(rf'\s*\{{\s*"action"\s*:\s*"(?:{"|".join(_UNSAID)})"')
#: The id of the line that a second try gets; it is no row of the shop's data.
NOTE = "guard"

Show = Callable[[str], Awaitable[None]]
Tell = Callable[[str, Estimate], Awaitable[None]]


class Writing:
    """The writing of one turn, over one call of the model or two.

    ``show`` gets the reply so far, sentence by sentence; ``tell`` gets the notice when the answer will take long.
    """

    def __init__(self, engine: Engine, voice: Voice, language: Language, show: Show, tell: Tell) -> None:
        self._engine = engine
        self._voice = voice
        self._language = language
        self._show = show
        self._tell = tell
        self.began = monotonic()
        #: What the conversation was told earlier, as it stands now.
        self.earlier: Sequence[Fact] = ()
        #: The customer's order lines as they stand now; those of the conversation's head may have grown old.
        self.orders: Sequence[str] = ()
        #: What the shop's data said for this turn.
        self._facts: list[Fact] = []
        self._steps: list[tuple[str, float]] = []
        self._stopped: list[str] = []
        self._timings = Timings()
        self._tokens = Tokens()
        self._notice: str | None = None
        #: Seconds that the guard took of the answer being written.
        self._guard_s = 0.0

    def found(self, facts: Facts, step: str, since: float) -> None:
        """Takes note of facts, which may be said from now on, and of the time it took to find them."""
        self._facts += facts.lines
        self._step(step, since)

    async def exchange(self, conversation: Conversation, exchange: Exchange) -> tuple[Exchange, str]:
        """Has one exchange answered: (the exchange with its answer, the reply that passed the guard).

        Raises :class:`EngineError` when the model failed, :class:`~bot.errors.TooLong` when the conversation does not
        fit its memory.
        """
        passed = ""
        for attempt in range(2):
            since = monotonic()
            # In a thread: a long conversation's words are read through, and others are served meanwhile.
            guard = await asyncio.to_thread(self._guard, conversation, exchange)
            request = self._request(conversation, exchange)
            self._step("prompt", since)
            if self._notice is None:
                await self._announce(request, exchange)
            since = monotonic()
            self._guard_s = 0.0
            written, passed, reason = await self._stream(request, guard)
            self._step("answer", since + self._guard_s)
            self._steps.append(("guard", self._guard_s))
            if reason is None and written is not None:
                return replace(exchange, answer=written), passed
            if reason == "repetition":
                # What a model says that has begun to turn in circles is no whole of which a part could stand.
                passed = ""
            self._stopped.append(reason or "form")
            log.info("the guard stopped a sentence: %s, attempt %d", reason or "form", attempt + 1)
            if attempt == 0:
                note = Fact(id=NOTE, text=prompt.correction(reason, self._voice.language))
                exchange = replace(exchange, facts=(*exchange.facts, note))
        reply = "".join([passed, self._voice.say(self._language, "answer.unknown")])
        return replace(exchange, answer=Answer(action=Action.NONE, seen=None, reply=reply)), reply

    def trace(self, action: Action, seen: Seen | None) -> Trace:
        """What the turn was made of and how long it took; ``action`` is what it led to."""
        return Trace(
            action=action,
            seen=seen,
            facts=tuple(self._facts),
            model=self._engine.info.model,
            timings=replace(self._timings, total_s=monotonic() - self.began),
            tokens=self._tokens,
            notice=self._notice,
            steps=tuple(self._steps),
            stopped=tuple(self._stopped),
        )

    def _request(self, conversation: Conversation, exchange: Exchange) -> Request:
        return Request(
            conversation=str(conversation.id),
            messages=prompt.messages(self._voice.system, prompt.ask(conversation, exchange), self._voice.language),
            schema=form.SCHEMA,
            max_tokens=self._voice.max_tokens,
        )

    async def _announce(self, request: Request, exchange: Exchange) -> None:
        estimate = self._engine.estimate(request)
        photo = any(isinstance(part, Photo) for part in exchange.body)
        self._notice = slow.notice(
            estimate,
            after_s=self._voice.notice_after_s,
            language=self._language,
            photo=photo,
            text=self._voice.notice_text,
        )
        if self._notice is not None:
            await self._tell(self._notice, estimate)

    def _guard(self, conversation: Conversation, exchange: Exchange) -> Guard:
        """All that may stand in the reply: the shop's data in this conversation, and the customer's own words.

        What earlier exchanges were told counts as it stands now: an old price is no price.
        """
        system = [str(part) for part in self._voice.system.body]
        facts = {fact.id: fact.text for fact in (*self.earlier, *self._facts)}
        said = [part for e in (*conversation.exchanges, exchange) for part in e.body if isinstance(part, str)]
        return Guard([*system, self._voice.contact, *self.orders, *facts.values()], said)

    async def _stream(self, request: Request, guard: Guard) -> tuple[Answer | None, str, str | None]:
        """(the whole answer, the sentences that passed, why it was stopped). Stopping closes the engine's stream."""
        reader, cutter = form.Reader(), Sentences()
        passed, unsaid = "", False
        async with aclosing(self._engine.answer(request)) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                fresh = reader.feed(chunk.text)
                unsaid = unsaid or _CALL.match(reader.text) is not None
                for sentence in cutter.feed("" if unsaid else fresh):
                    if reason := self._checked(guard, passed, sentence):
                        return None, passed, reason
                    passed += sentence
                    await self._show(passed.rstrip())
                if chunk.done:
                    self._count(chunk.timings, chunk.tokens)
                    if chunk.finish == "repetition":
                        return None, passed, "repetition"
                    if chunk.finish == "length":
                        return self._cut(reader, passed)
        rest = cutter.flush()
        for sentence in rest:
            if reason := self._checked(guard, passed, sentence):
                return None, passed, reason
            passed += sentence
        if rest:
            await self._show(passed.rstrip())
        try:
            written = form.load(reader.text)
        except EngineError:
            return None, passed, "form"
        # What was checked and shown is what the reader made of it: the parser must have read the same.
        same = written.reply == reader.reply and unsaid == (written.action in _UNSAID)
        return (written, passed.rstrip(), None) if same else (None, passed, "form")

    def _checked(self, guard: Guard, before: str, sentence: str) -> str | None:
        since = monotonic()
        reason = guard.check(sentence)
        self._guard_s += monotonic() - since
        if reason is None and repeats(before, sentence):
            return "repetition"
        return reason.value if reason else None

    @staticmethod
    def _cut(reader: form.Reader, passed: str) -> tuple[Answer | None, str, str | None]:
        """An answer that reached the limit of its length: its whole sentences stand, half a sentence is not said."""
        reply = passed.rstrip()
        try:
            written = form.load(reader.text)
        except EngineError:
            written = Answer(action=Action.NONE, seen=None, reply=reply)
        return (replace(written, reply=reply), reply, None) if reply else (None, passed, "length")

    def _count(self, timings: Timings | None, tokens: Tokens | None) -> None:
        if timings is not None:
            first = self._timings.first_token_s or (monotonic() - self.began - timings.total_s + timings.first_token_s)
            self._timings = Timings(
                queue_s=self._timings.queue_s + timings.queue_s,
                image_s=self._timings.image_s + timings.image_s,
                first_token_s=first,
                total_s=0.0,
            )
        if tokens is not None:
            self._tokens = self._tokens + tokens

    def _step(self, name: str, since: float) -> None:
        self._steps.append((name, monotonic() - since))
