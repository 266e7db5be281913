"""From a customer's turn to the shop's reply: facts, prompt, model, guard, and what the model's action means.

The model has no authority: it proposes an action and words; what the action leads to, and which words may be shown, is
decided here. The common path is one call of the model; a look-up makes it two over the same memory.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from time import monotonic

from bot import answer as form
from bot import prompt, slow, words
from bot.errors import EngineError, TooLong
from bot.guard import Guard
from bot.model import (
    Action,
    Answer,
    Conversation,
    Exchange,
    Fact,
    Facts,
    Language,
    Offer,
    Photo,
    Seen,
    Source,
    Timings,
    Tokens,
    Trace,
    money,
)
from bot.ports import Engine, Estimate, FactSource, Message, Request, Store
from bot.sentences import Sentences, clauses, repeats
from bot.vocabulary import named

log = logging.getLogger(__name__)

#: Words beside a call for a person («已为您转接») or a look-up (the name of what was seen) are never said, so they
#: are no reason to ask again.
_UNSAID = (Action.PERSON, Action.LOOK_UP)
_CALL = re.compile(rf'\s*\{{\s*"action"\s*:\s*"(?:{"|".join(_UNSAID)})"')
#: The id of the line that a second try gets; it is no row of the shop's data.
_NOTE = "guard"

Show = Callable[[str], Awaitable[None]]
Tell = Callable[[str, Estimate], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """How one shop speaks: what all its customers share of the prompt, and what its fixed sentences name."""

    shop: str
    contact: str
    #: Says that a machine speaks; empty when the shop wants none.
    label: str
    #: The language that the shop's data and prompt are written in.
    language: Language
    system: Message
    max_tokens: int
    history_turns: int
    notice_after_s: float
    notice_text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a turn led to."""

    text: str
    source: Source
    exchanges: tuple[Exchange, ...] = ()
    offers: tuple[Offer, ...] = ()
    trace: Trace


@dataclass(slots=True)
class _Run:
    """One turn on its way: what was used, for the trace."""

    began: float
    language: Language
    #: What the shop's data said for this turn.
    facts: list[Fact] = field(default_factory=list)
    #: What it told earlier in the conversation, as it stands now.
    earlier: Sequence[Fact] = ()
    #: The customer's order lines as they stand now; those of the conversation's head may have grown old.
    orders: Sequence[str] = ()
    steps: list[tuple[str, float]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    timings: Timings = field(default_factory=Timings)
    tokens: Tokens = field(default_factory=Tokens)
    notice: str | None = None
    #: Seconds that the guard took of the answer being written.
    guard_s: float = 0.0

    def checked(self, guard: Guard, before: str, sentence: str) -> str | None:
        since = monotonic()
        reason = guard.check(sentence)
        self.guard_s += monotonic() - since
        if reason is None and repeats(before, sentence):
            return "repetition"
        return reason.value if reason else None

    def step(self, name: str, since: float) -> None:
        self.steps.append((name, monotonic() - since))

    def found(self, facts: Facts, name: str, since: float) -> None:
        self.facts += facts.lines
        self.step(name, since)


class Dialogue:
    """One shop's side of its conversations. Stateless: what is remembered lies in the conversation it is given."""

    def __init__(self, engine: Engine, facts: FactSource, store: Store, voice: Voice) -> None:
        self._engine = engine
        self._facts = facts
        self._store = store
        self._voice = voice

    async def warm(self, photos: Sequence[Photo]) -> None:
        """Has the model look at photos whose words are still being typed; what fails here shows when it answers."""
        with suppress(EngineError):
            await self._engine.warm(self._voice.system, photos)

    @property
    def language(self) -> Language:
        """The shop's."""
        return self._voice.language

    def label(self, text: str) -> str:
        """The text with the label that says who speaks, for channels that do not show it themselves."""
        return f"【{self._voice.label}】{text}" if self._voice.label else text

    def say(self, language: Language, key: str, **values: object) -> str:
        return words.say(language, key, **{"contact": self._voice.contact, "shop": self._voice.shop, **values})

    async def answer(
        self,
        conversation: Conversation,
        body: Sequence[str | Photo],
        *,
        language: Language,
        show: Show,
        tell: Tell,
    ) -> Outcome:
        """Answers one turn. ``show`` gets the reply so far, sentence by sentence, each past the guard; ``tell`` gets
        the notice at once when the answer will take long. Raises :class:`EngineError` when the model failed.
        """
        conversation = await self._opened(conversation)
        for keep in (len(conversation.exchanges) // 2, 1, 0):
            try:
                return await self._answer(conversation, body, language, show, tell)
            except TooLong:
                if not conversation.exchanges:
                    raise
                conversation = await self._fold(conversation, keep)
        return await self._answer(conversation, body, language, show, tell)

    async def _answer(
        self, conversation: Conversation, body: Sequence[str | Photo], language: Language, show: Show, tell: Tell
    ) -> Outcome:
        run = _Run(monotonic(), language)
        said = " ".join(part for part in body if isinstance(part, str))
        found = self._fitting(await self._facts.facts(conversation.customer, said, None))
        found = await self._renewed(conversation, found, run)
        run.orders = await self._facts.head(conversation.customer)
        run.found(found, "facts", run.began)
        first, reply = await self._write(conversation, Exchange(body=tuple(body), facts=found.lines), run, show, tell)
        exchanges = [first]
        action, seen = _proposed(first)
        if action is Action.LOOK_UP and seen is not None:
            since = monotonic()
            found = self._fitting(await self._facts.facts(conversation.customer, said, seen))
            run.found(found, "look_up", since)
            conversation = prompt.ask(conversation, first)
            second, reply = await self._write(conversation, Exchange(body=(), facts=found.lines), run, show, tell)
            exchanges.append(second)
            led, again = _proposed(second)
            if led is Action.LOOK_UP:
                reply = ""
            elif led is not Action.NONE:  # what the look-up led to counts: a wrong item becomes a complaint
                action, seen = led, again or seen

        text = self._spoken(action, reply, body, conversation, language)
        if text != reply:
            await show(text)
        run.timings = replace(run.timings, total_s=monotonic() - run.began)
        return Outcome(
            text=text,
            source="rule" if action is Action.PERSON else "model",
            exchanges=tuple(exchanges),
            offers=_told(found.offers, text) if action in (Action.NONE, Action.LOOK_UP) else (),
            trace=self._trace(run, action, seen),
        )

    def _spoken(
        self, action: Action, reply: str, body: Sequence[str | Photo], conversation: Conversation, language: Language
    ) -> str:
        """The reply as the customer reads it: the model's words, and what only the shop can say."""
        photo = any(isinstance(part, Photo) for part in body)
        match action:
            case Action.PERSON:
                return self.say(language, "answer.person")
            case Action.COMPLAINT:
                looked = photo or any(isinstance(part, Photo) for e in conversation.exchanges for part in e.body)
                return "\n".join(
                    filter(None, [reply, self.say(language, f"answer.complaint{'' if looked else '_unseen'}")])
                )
            case Action.NEED_PHOTO if not reply:
                return self.say(language, "answer.need_photo_again" if photo else "answer.need_photo")
            case Action.NEED_ORDER if not reply:
                return self.say(language, "answer.need_order")
        if reply:
            refused = any(words.say(each, "mark.refusal") in reply for each in words.LANGUAGES)
            if not refused or self._voice.contact in reply:
                return reply
            return " ".join([reply, self.say(language, "answer.contact")])
        return self.say(language, "answer.photo_alone" if photo and action is Action.NONE else "answer.unknown")

    def _fitting(self, found: Facts) -> Facts:
        """As many fact lines as the model handles well."""
        return replace(found, lines=found.lines[: self._engine.info.fact_lines])

    async def _renewed(self, conversation: Conversation, found: Facts, run: _Run) -> Facts:
        """What was found, and behind it what was told in this conversation and reads otherwise by now.

        History is never rewritten: so a price that has changed since is told anew, and the old one proves nothing.
        """
        told = {fact.id: fact for e in conversation.exchanges for fact in e.facts if fact.id != _NOTE}
        if not told:
            return found
        run.earlier = await self._facts.current(conversation.customer, told)
        again = {fact.id for fact in found.lines}
        changed = [fact for fact in run.earlier if fact != told[fact.id] and fact.id not in again]
        return self._fitting(replace(found, lines=(*found.lines, *changed)))

    async def _opened(self, conversation: Conversation) -> Conversation:
        """The conversation with its head fixed, and no longer than the prompt may be."""
        if not conversation.head:
            lines = await self._facts.head(conversation.customer)
            head = prompt.head(conversation.customer.channel, conversation.language, lines)
            conversation = await self._store.open(conversation, head)
        if len(conversation.exchanges) > self._voice.history_turns:
            conversation = await self._fold(conversation, self._voice.history_turns // 2)
        return conversation

    async def _fold(self, conversation: Conversation, keep: int) -> Conversation:
        gone = conversation.exchanges[: len(conversation.exchanges) - keep]
        line = prompt.folded(conversation.folded, gone, self._voice.language)
        return await self._store.fold(conversation, line, keep)

    # ------------------------------------------------------------------ one call of the model

    async def _write(
        self, conversation: Conversation, exchange: Exchange, run: _Run, show: Show, tell: Tell
    ) -> tuple[Exchange, str]:
        """Has one exchange answered: (the exchange with its answer, the reply that passed the guard).

        What the guard stops is tried once more with the reason; then the safe sentence is said.
        """
        passed = ""
        for attempt in range(2):
            since = monotonic()
            # In a thread: a long conversation's words are read through, and others are served meanwhile.
            guard = await asyncio.to_thread(self._guard, conversation, exchange, run)
            request = self._request(conversation, exchange)
            run.step("prompt", since)
            if run.notice is None:
                await self._notice(request, exchange, run, tell)
            since = monotonic()
            run.guard_s = 0.0
            written, passed, reason = await self._stream(request, guard, run, show)
            run.step("answer", since + run.guard_s)
            run.steps.append(("guard", run.guard_s))
            if reason is None and written is not None:
                return replace(exchange, answer=written), passed
            if reason == "repetition":
                # What a model says that has begun to turn in circles is no whole of which a part could stand.
                passed = ""
            run.stopped.append(reason or "form")
            log.info("the guard stopped a sentence: %s, attempt %d", reason or "form", attempt + 1)
            if attempt == 0:
                note = Fact(id=_NOTE, text=prompt.correction(reason, self._voice.language))
                exchange = replace(exchange, facts=(*exchange.facts, note))
        reply = "".join([passed, self.say(run.language, "answer.unknown")])
        return replace(exchange, answer=Answer(action=Action.NONE, seen=None, reply=reply)), reply

    def _request(self, conversation: Conversation, exchange: Exchange) -> Request:
        return Request(
            conversation=str(conversation.id),
            messages=prompt.messages(self._voice.system, prompt.ask(conversation, exchange), self._voice.language),
            schema=form.SCHEMA,
            max_tokens=self._voice.max_tokens,
        )

    async def _notice(self, request: Request, exchange: Exchange, run: _Run, tell: Tell) -> None:
        estimate = self._engine.estimate(request)
        photo = any(isinstance(part, Photo) for part in exchange.body)
        run.notice = slow.notice(
            estimate,
            after_s=self._voice.notice_after_s,
            language=run.language,
            photo=photo,
            text=self._voice.notice_text,
        )
        if run.notice is not None:
            await tell(run.notice, estimate)

    def _guard(self, conversation: Conversation, exchange: Exchange, run: _Run) -> Guard:
        """All that may stand in the reply: the shop's data in this conversation, and the customer's own words.

        What earlier exchanges were told counts as it stands now: an old price is no price.
        """
        system = [str(part) for part in self._voice.system.body]
        facts = {fact.id: fact.text for fact in (*run.earlier, *run.facts)}
        said = [part for e in (*conversation.exchanges, exchange) for part in e.body if isinstance(part, str)]
        return Guard([*system, self._voice.contact, *run.orders, *facts.values()], said)

    async def _stream(
        self, request: Request, guard: Guard, run: _Run, show: Show
    ) -> tuple[Answer | None, str, str | None]:
        """(the whole answer, the sentences that passed, why it was stopped). Stopping closes the engine's stream."""
        reader, cutter = form.Reader(), Sentences()
        passed, unsaid = "", False
        async with aclosing(self._engine.answer(request)) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                fresh = reader.feed(chunk.text)
                unsaid = unsaid or _CALL.match(reader.text) is not None
                for sentence in cutter.feed("" if unsaid else fresh):
                    if reason := run.checked(guard, passed, sentence):
                        return None, passed, reason
                    passed += sentence
                    await show(passed.rstrip())
                if chunk.done:
                    self._count(run, chunk.timings, chunk.tokens)
                    if chunk.finish == "repetition":
                        return None, passed, "repetition"
                    if chunk.finish == "length":
                        return self._cut(reader, passed)
        rest = cutter.flush()
        for sentence in rest:
            if reason := run.checked(guard, passed, sentence):
                return None, passed, reason
            passed += sentence
        if rest:
            await show(passed.rstrip())
        try:
            written = form.load(reader.text)
        except EngineError:
            return None, passed, "form"
        # What was checked and shown is what the reader made of it: the parser must have read the same.
        same = written.reply == reader.reply and unsaid == (written.action in _UNSAID)
        return (written, passed.rstrip(), None) if same else (None, passed, "form")

    @staticmethod
    def _cut(reader: form.Reader, passed: str) -> tuple[Answer | None, str, str | None]:
        """An answer that reached the limit of its length: its whole sentences stand, half a sentence is not said."""
        reply = passed.rstrip()
        try:
            written = form.load(reader.text)
        except EngineError:
            written = Answer(action=Action.NONE, seen=None, reply=reply)
        return (replace(written, reply=reply), reply, None) if reply else (None, passed, "length")

    @staticmethod
    def _count(run: _Run, timings: Timings | None, tokens: Tokens | None) -> None:
        if timings is not None:
            first = run.timings.first_token_s or (monotonic() - run.began - timings.total_s + timings.first_token_s)
            run.timings = Timings(
                queue_s=run.timings.queue_s + timings.queue_s,
                image_s=run.timings.image_s + timings.image_s,
                first_token_s=first,
                total_s=0.0,
            )
        if tokens is not None:
            run.tokens = run.tokens + tokens

    def _trace(self, run: _Run, action: Action, seen: Seen | None) -> Trace:
        return Trace(
            action=action,
            seen=seen,
            facts=tuple(run.facts),
            model=self._engine.info.model,
            timings=run.timings,
            tokens=run.tokens,
            notice=run.notice,
            steps=tuple(run.steps),
            stopped=tuple(run.stopped),
        )


def _told(offers: Sequence[Offer], text: str) -> tuple[Offer, ...]:
    """The offers that the reply speaks of, by name or by price: a card beside another answer would contradict it."""
    parts = [named(part) for part in clauses(text)]
    by_name = tuple(o for o in offers if o.name in text or (named(o.name) and named(o.name) in parts))
    return by_name or tuple(o for o in offers if re.search(rf"(?<![\d.]){money(o.price)}(?![\d.]*\d)", text))


def _proposed(exchange: Exchange) -> tuple[Action, Seen | None]:
    assert exchange.answer is not None  # only exchanges that were written come here
    return exchange.answer.action, exchange.answer.seen
