"""From a customer's turn to the shop's reply: the facts it needs, and what the model's action means.

The model has no authority: it proposes an action and words; what the action leads to is decided here, which words may
be shown where they are written (:mod:`bot.writing`). The common path is one call of the model; a look-up makes it two
over the same memory.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from time import monotonic

from bot import prompt, words
from bot.errors import EngineError, TooLong
from bot.model import (
    Action,
    Answer,
    Conversation,
    Exchange,
    Facts,
    Language,
    Offer,
    Photo,
    Seen,
    Source,
    Trace,
    Unproven,
    money,
)
from bot.orders import Named
from bot.orders import named as named_orders
from bot.ports import Engine, FactSource, Store
from bot.sentences import clauses
from bot.vocabulary import named
from bot.voice import Voice
from bot.writing import NOTE, Show, Tell, Writing

#: What the ids of order lines begin with.
_ORDER = "order:"
#: Order lines that open a conversation.
_HEAD_ORDERS = 3
#: Messages in which a customer may tell his order piece by piece.
_PIECES = 4
_UNPROVEN: dict[Unproven, str] = {
    "tail": "answer.need_tail",
    "number": "answer.need_number",
    "wrong": "answer.no_order",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a turn led to."""

    text: str
    source: Source
    exchanges: tuple[Exchange, ...] = ()
    offers: tuple[Offer, ...] = ()
    trace: Trace


class Dialogue:
    """One shop's side of its conversations. Stateless: what is remembered lies in the conversation it is given."""

    def __init__(self, engine: Engine, facts: FactSource, store: Store, voice: Voice) -> None:
        self._engine = engine
        self._facts = facts
        self._store = store
        self.voice = voice

    async def warm(self, photos: Sequence[Photo]) -> None:
        """Has the model look at photos whose words are still being typed; what fails here shows when it answers."""
        with suppress(EngineError):
            await self._engine.warm(self.voice.system, photos)

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
        turn = Writing(self._engine, self.voice, language, show, tell)
        said = _said(body)
        told = named_orders(said)
        asked = "\n".join([said, *_pieces(conversation, told)])
        found = self._fitting(await self._facts.facts(conversation.customer, asked, None))
        found = await self._renewed(conversation, found, turn)
        if found.unproven and not any(fact.id.startswith(_ORDER) for fact in found.lines):
            return self._unproven(found.unproven, body, language)
        unproven = found.unproven
        turn.orders = await self._facts.orders(conversation.customer)
        turn.found(found, "facts", turn.began)
        first, reply = await turn.exchange(conversation, Exchange(body=tuple(body), facts=found.lines))
        exchanges = [first]
        action, seen = _proposed(first)
        if action is Action.LOOK_UP and seen is not None:
            since = monotonic()
            about = said if told.codes else "\n".join([said, *_orders(conversation, first)])
            found = self._fitting(await self._facts.facts(conversation.customer, about, seen))
            turn.found(found, "look_up", since)
            conversation = prompt.ask(conversation, first)
            second, reply = await turn.exchange(conversation, Exchange(body=(), facts=found.lines))
            exchanges.append(second)
            led, again = _proposed(second)
            if led is Action.LOOK_UP:
                reply = ""
            elif led is not Action.NONE:  # what the look-up led to counts: a wrong item becomes a complaint
                action, seen = led, again or seen

        text = self._spoken(action, reply, body, conversation, language)
        if unproven:  # of another order
            text = "\n".join([text, self.voice.say(language, _UNPROVEN[unproven])])
        if text != reply:
            await show(text)
        return Outcome(
            text=text,
            source="rule" if action is Action.PERSON else "model",
            exchanges=tuple(exchanges),
            offers=_told(found.offers, text) if action in (Action.NONE, Action.LOOK_UP) else (),
            trace=turn.trace(action, seen),
        )

    def _unproven(self, why: Unproven, body: Sequence[str | Photo], language: Language) -> Outcome:
        """No model is asked whether an order is there; a photo beside the number is there for the next question."""
        text = self.voice.say(language, _UNPROVEN[why])
        told = Exchange(body=tuple(body), answer=Answer(action=Action.NEED_ORDER, seen=None, reply=text))
        return Outcome(text=text, source="rule", exchanges=(told,), trace=Trace(action=Action.NEED_ORDER))

    def _spoken(
        self, action: Action, reply: str, body: Sequence[str | Photo], conversation: Conversation, language: Language
    ) -> str:
        """The reply as the customer reads it: the model's words, and what only the shop can say."""
        photo = any(isinstance(part, Photo) for part in body)
        match action:
            case Action.PERSON:
                return self.voice.say(language, "answer.person")
            case Action.COMPLAINT:
                looked = photo or any(isinstance(part, Photo) for e in conversation.exchanges for part in e.body)
                return "\n".join(
                    filter(None, [reply, self.voice.say(language, f"answer.complaint{'' if looked else '_unseen'}")])
                )
            case Action.NEED_PHOTO if not reply:
                return self.voice.say(language, "answer.need_photo_again" if photo else "answer.need_photo")
            case Action.NEED_ORDER if not reply:
                return self.voice.say(language, "answer.need_order")
        if reply:
            refused = next((each for each in words.LANGUAGES if words.say(each, "mark.refusal") in reply), None)
            if refused is None or self.voice.contact in reply:
                return reply
            # In the language that the model took, which need not be the customer's.
            return ("" if refused == "zh" else " ").join([reply, self.voice.say(refused, "answer.contact")])
        return self.voice.say(language, "answer.photo_alone" if photo and action is Action.NONE else "answer.unknown")

    def _fitting(self, found: Facts) -> Facts:
        """As many fact lines as the model handles well."""
        return replace(found, lines=found.lines[: self._engine.info.fact_lines])

    async def _renewed(self, conversation: Conversation, found: Facts, turn: Writing) -> Facts:
        """What was found, and behind it what was told in this conversation and reads otherwise by now.

        History is never rewritten: so a price that has changed since is told anew, and the old one proves nothing.
        """
        told = {fact.id: fact for e in conversation.exchanges for fact in e.facts if fact.id != NOTE}
        if not told:
            return found
        turn.earlier = await self._facts.current(conversation.customer, told)
        again = {fact.id for fact in found.lines}
        changed = [fact for fact in turn.earlier if fact != told[fact.id] and fact.id not in again]
        return self._fitting(replace(found, lines=(*found.lines, *changed)))

    async def _opened(self, conversation: Conversation) -> Conversation:
        """The conversation with its head fixed, and no longer than the prompt may be."""
        if not conversation.head:
            lines = await self._facts.orders(conversation.customer)
            head = prompt.head(conversation.customer.channel, conversation.language, lines[:_HEAD_ORDERS])
            conversation = await self._store.open(conversation, head)
        if len(conversation.exchanges) > self.voice.history_turns:
            conversation = await self._fold(conversation, self.voice.history_turns // 2)
        return conversation

    async def _fold(self, conversation: Conversation, keep: int) -> Conversation:
        gone = conversation.exchanges[: len(conversation.exchanges) - keep]
        line = prompt.folded(conversation.folded, gone, self.voice.language)
        return await self._store.fold(conversation, line, keep)


def _said(body: Sequence[str | Photo]) -> str:
    return " ".join(part for part in body if isinstance(part, str))


def _pieces(conversation: Conversation, told: Named) -> list[str]:
    """What a customer said of an order in his last messages, the newest first: many tell one in pieces, the number and
    then the tail, and something else between. Nothing for who tells both now, or neither.
    """
    if bool(told.codes) == told.tail:
        return []
    words: list[str] = []
    for exchange in reversed(conversation.exchanges[-_PIECES:]):
        said = _said(exchange.body)
        asked_for = exchange.answer is not None and exchange.answer.action is Action.NEED_ORDER
        if asked_for or (not told.codes and named_orders(said).codes):
            words.append(said)
    return words


def _orders(conversation: Conversation, now: Exchange) -> list[str]:
    """The numbers of the orders that were told last: a photo that comes behind them is held against these."""
    for exchange in (now, *reversed(conversation.exchanges)):
        if numbers := [fact.id.removeprefix(_ORDER) for fact in exchange.facts if fact.id.startswith(_ORDER)]:
            return numbers
    return []


def _told(offers: Sequence[Offer], text: str) -> tuple[Offer, ...]:
    """The offers that the reply speaks of, by name or by price: a card beside another answer would contradict it."""
    parts = [named(part) for part in clauses(text)]
    by_name = tuple(o for o in offers if o.name in text or (named(o.name) and named(o.name) in parts))
    return by_name or tuple(o for o in offers if re.search(rf"(?<![\d.]){money(o.price)}(?![\d.]*\d)", text))


def _proposed(exchange: Exchange) -> tuple[Action, Seen | None]:
    assert exchange.answer is not None  # only exchanges that were written come here
    return exchange.answer.action, exchange.answer.seen
