"""The one door: what any channel takes in is committed here, and then answered, each conversation in order.

``accept`` returns once the events are durable; only then may a platform be told that we have them. Everything behind it
starts from the store, so a restart answers what was accepted and not done.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from bot import burst, words
from bot.dialogue import Dialogue, Outcome
from bot.errors import EngineBusy, EngineError, Erased, StorageError, TooLong
from bot.fetching import Fetching
from bot.log import following
from bot.model import (
    Action,
    Answer,
    Conversation,
    Customer,
    Event,
    EventKind,
    Exchange,
    Language,
    Photo,
    Reply,
    Trace,
)
from bot.outbox import Outbox
from bot.ports import Adapter, Estimate, Mark, Outgoing, PhotoStore, Store

log = logging.getLogger(__name__)

#: Seconds between two signs that an answer is being made.
_SIGN_OF_LIFE = 4.0
#: Pauses before an answer that the engine failed on is tried again.
_RETRIES = (1.0, 5.0)
#: Pause while the store is away, and while the engine takes nothing more.
_AWAY = 5.0
_BUSY = 2.0
#: Most seconds that one who stopped an answer waits for its end.
_STOPPING = 5.0


@dataclass(slots=True)
class _Customer:
    """One customer's place in the house while something of his is not done."""

    task: asyncio.Task[None] | None = None
    #: Set when something came in since the store was last read.
    news: asyncio.Event = field(default_factory=asyncio.Event)
    #: Replies that an earlier run left behind.
    unsent: list[Outgoing] = field(default_factory=list)
    answering: asyncio.Task[Outcome] | None = None
    #: Photos that the model was asked to look at before their words came, and who waits for that.
    looked: set[str] = field(default_factory=set)
    looking: set[asyncio.Task[None]] = field(default_factory=set)
    #: What he has been shown of the answer that is being written.
    shown: str = ""
    #: He wants no more of it.
    halt: asyncio.Event = field(default_factory=asyncio.Event)
    #: Set while no turn of his is under way.
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    #: The turn, by its first event, that he was told the time of: once, however often it is tried.
    told: str = ""
    #: When his newest event came in, by the loop's clock: the platform's may go wrong.
    came: float = 0.0

    def __post_init__(self) -> None:
        self.idle.set()


class Intake:
    """Takes events in and answers them: one task per customer, customers side by side."""

    def __init__(
        self,
        store: Store,
        photos: PhotoStore,
        adapters: Mapping[str, Adapter],
        dialogue: Callable[[Customer], Dialogue],
        outbox: Outbox,
        *,
        merge_s: float,
        answers: bool = True,
    ) -> None:
        self._store = store
        self._fetching = Fetching(store, photos)
        self._adapters = adapters
        self._dialogue = dialogue
        self._outbox = outbox
        self._merge_s = merge_s
        self._answers = answers
        self._customers: dict[Customer, _Customer] = {}
        self._opened = asyncio.Event()
        #: Commits under way.
        self._taking: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """The model is there: what was accepted meanwhile is answered now."""
        self._opened.set()

    async def accept(self, events: Sequence[Event], mark: Mark | None = None) -> None:
        """Commits events and the platform's mark together; answering begins behind it.

        Cancelled meanwhile – a page that goes, a stream that ends –, what is being committed is answered all the same.
        """
        taking = asyncio.create_task(self._take(events, mark))
        self._taking.add(taking)
        taking.add_done_callback(self._taking.discard)
        await asyncio.shield(taking)

    async def _take(self, events: Sequence[Event], mark: Mark | None) -> None:
        await self._store.accept(events, mark)
        for customer in dict.fromkeys(event.customer for event in events):
            self._wake(customer)

    async def resume(self) -> None:
        """After a start: sends what was not sent, answers what was not answered."""
        unsent: dict[Customer, list[Outgoing]] = {}
        for outgoing in await self._store.outgoing():
            unsent.setdefault(outgoing.reply.customer, []).append(outgoing)
        for customer in dict.fromkeys([*unsent, *await self._store.waiting()]):
            self._wake(customer, unsent.get(customer, ()))

    async def stop(self, customer: Customer) -> None:
        """The customer wants no more of the answer that is being written; returns when its turn is over."""
        place = self._customers.get(customer)
        if place is None or place.idle.is_set():
            return
        place.halt.set()
        if place.answering is not None:
            place.answering.cancel()
        with suppress(TimeoutError):  # a store that is away commits later
            await asyncio.wait_for(place.idle.wait(), _STOPPING)

    async def close(self) -> None:
        """Stops answering; what is not done stays in the store for the next start."""
        await asyncio.gather(*self._taking, return_exceptions=True)  # what is committed last wakes its customer
        tasks = [place.task for place in self._customers.values() if place.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ------------------------------------------------------------------ one customer

    def _wake(self, customer: Customer, unsent: Sequence[Outgoing] = ()) -> None:
        place = self._customers.setdefault(customer, _Customer())
        place.unsent += unsent
        place.came = asyncio.get_running_loop().time()
        place.news.set()
        if place.task is None:
            place.task = asyncio.create_task(self._serve(customer, place))

    async def _serve(self, customer: Customer, place: _Customer) -> None:
        """Sends and answers all that is not done of one customer, in order, then leaves."""
        try:
            while place.news.is_set():
                place.news.clear()
                try:
                    await self._send_unsent(place)
                    await self._opened.wait()
                    await self._answer_all(customer, place)
                except StorageError as exc:
                    # Nothing is lost: what is not done is found again when the store is back.
                    log.warning("a turn of channel %s is put off: %s", customer.channel, exc)
                    await asyncio.sleep(_AWAY)
                    place.news.set()
                except Erased:
                    # What he had said is gone, and his answer with it; what he says from now on is his first word.
                    log.info("a turn of channel %s ended with its customer's erasure", customer.channel)
                    place.news.set()
        finally:
            for task in place.looking:
                task.cancel()
            del self._customers[customer]

    async def _send_unsent(self, place: _Customer) -> None:
        while place.unsent:
            await self._outbox.send(place.unsent[:1], fresh=False)
            del place.unsent[0]

    async def _answer_all(self, customer: Customer, place: _Customer) -> None:
        answered = False
        while customer.channel in self._adapters:
            place.news.clear()
            if not (events := await self._store.events(customer)):
                break
            # What an earlier run left behind goes out before anything newer.
            await self._send_unsent(place)
            with following(events[0].id):
                if events := await self._burst(customer, place, events):
                    answered = True
                    place.idle.clear()
                    place.halt.clear()
                    try:
                        await self._turn(customer, place, events)
                    finally:
                        place.idle.set()

        if not answered and customer.channel in self._adapters:
            # Erased before his turn began: whoever waits for it is told.
            await _unharmed(self._adapters[customer.channel].over(customer))

    async def _burst(self, customer: Customer, place: _Customer, events: list[Event]) -> list[Event]:
        """Waits for the rest of a burst, no longer than ``merge_s`` after its newest piece.

        Photos are fetched and looked at meanwhile: a customer who types behind his photo finds it seen already.
        """
        adapter, clock = self._adapters[customer.channel], asyncio.get_running_loop().time
        while events:
            events = await self._fetching.fetched(adapter, events, self._late(events[-1]))
            if not place.news.is_set():
                left = burst.patience(events, self._merge_s) - (clock() - place.came)
                if left <= 0:
                    return events
                self._look(customer, place, [photo for event in events for photo in event.photos][: burst.MOST_PHOTOS])
                try:
                    await asyncio.wait_for(place.news.wait(), left)
                except TimeoutError:
                    return events
            # What came while photos were fetched, or in the wait, is of the same burst.
            place.news.clear()
            events = await self._store.events(customer)
        # He was erased meanwhile: there is nothing to answer.
        return []

    def _late(self, event: Event) -> str | None:
        """What is said when the photos of a burst that ends so are long on their way."""
        voice = self._dialogue(event.customer).voice
        language = words.language_of(event.text, event.language or voice.language)
        return voice.say(language, "notice.fetching") if self._answers else None

    def _look(self, customer: Customer, place: _Customer, photos: Sequence[Photo]) -> None:
        """Has photos looked at beside the waiting: what takes long here must not hold up the answer or its notice."""
        fresh = [photo for photo in photos if photo.sha256 not in place.looked]
        if not fresh:
            return
        place.looked.update(photo.sha256 for photo in fresh)
        task = asyncio.create_task(self._dialogue(customer).warm(fresh))
        place.looking.add(task)
        task.add_done_callback(place.looking.discard)

    async def _turn(self, customer: Customer, place: _Customer, events: list[Event]) -> None:
        adapter, dialogue = self._adapters[customer.channel], self._dialogue(customer)
        said = " ".join(event.text for event in events if event.kind is not EventKind.COMMAND)  # «/start» is no English
        hint = next((event.language for event in reversed(events) if event.language), None)
        conversation = await self._store.conversation(
            customer, language=words.language_of(said, hint or dialogue.voice.language)
        )
        language = words.language_of(said, hint or conversation.language)
        waited = max(0.0, (datetime.now(UTC) - events[-1].at).total_seconds())
        replies: list[tuple[Reply, Trace]] = []
        exchanges: Sequence[Exchange] = ()
        if self._answers and conversation.holder == "bot":
            outcome = await self._outcome(adapter, dialogue, place, conversation, events, language)
            if outcome.text:
                shown = outcome.text if adapter.capabilities.shows_label else dialogue.voice.labelled(outcome.text)
                reply = Reply(
                    customer=customer,
                    text=shown,
                    route=events[-1].route,
                    offers=outcome.offers,
                    source=outcome.source,
                )
                trace = replace(outcome.trace, steps=(("event", waited), *outcome.trace.steps))
                replies.append((reply, trace))
            exchanges = outcome.exchanges
        outgoing = await self._finished(conversation, events, exchanges, replies)
        if not outgoing:
            # In silence, or erased meanwhile: whoever shows that an answer is being made must not go on.
            await _unharmed(adapter.over(customer))
        await self._outbox.send(outgoing)

    async def _finished(
        self,
        conversation: Conversation,
        events: Sequence[Event],
        exchanges: Sequence[Exchange],
        replies: Sequence[tuple[Reply, Trace]],
    ) -> list[Outgoing]:
        """Commits a turn. A store that is away is waited for: an answer that was made is not made again."""
        while True:
            try:
                return await self._store.finish(conversation, events, exchanges, replies)
            except StorageError as exc:
                log.warning("a turn of channel %s cannot be committed yet: %s", conversation.customer.channel, exc)
                await asyncio.sleep(_AWAY)

    async def _outcome(
        self,
        adapter: Adapter,
        dialogue: Dialogue,
        place: _Customer,
        conversation: Conversation,
        events: Sequence[Event],
        language: Language,
    ) -> Outcome:
        """What a turn's events lead to: sentences by rule, then the answer to what is left."""
        turn, (body, keys) = events[0].id, burst.turn(events, language)
        rules = [dialogue.voice.say(language, key, n=burst.MOST_PHOTOS) for key in keys]
        if not body:
            return Outcome(text="\n".join(rules), source="rule", trace=Trace())
        try:
            outcome = await self._answer(adapter, dialogue, place, conversation, turn, body, events[-1].route, language)
        except (StorageError, Erased):
            raise
        except Exception:
            # A defect of ours: the customer is not left in silence, and the turn does not come back for ever.
            log.exception("a turn failed")
            outcome = _unwritten(body, dialogue.voice.say(language, "answer.broke"))
        return replace(outcome, text="\n".join([*rules, outcome.text]))

    async def _answer(
        self,
        adapter: Adapter,
        dialogue: Dialogue,
        place: _Customer,
        conversation: Conversation,
        turn: str,
        body: Sequence[str | Photo],
        route: str,
        language: Language,
    ) -> Outcome:
        """Has the turn answered, with signs of life; whatever happens, there is an outcome."""
        customer = conversation.customer
        place.shown = ""

        async def show(text: str) -> None:
            place.shown = text
            if adapter.capabilities.preview:
                labelled = text if adapter.capabilities.shows_label else dialogue.voice.labelled(text)
                await _unharmed(adapter.preview(customer, route, labelled))

        async def tell(text: str, estimate: Estimate) -> None:
            if place.told == turn:
                return
            place.told = turn
            until = datetime.now(UTC) + timedelta(seconds=estimate.whole_s)
            # The model does not wait until a platform has taken a courtesy.
            beside.append(asyncio.create_task(adapter.notice(customer, route, text, until, estimate.ahead)))
            await asyncio.sleep(0)  # but it is on its way

        async def signs() -> None:
            while True:
                await adapter.thinking(customer, route)
                await asyncio.sleep(_SIGN_OF_LIFE)

        beside = [asyncio.create_task(signs())]
        retries = iter(_RETRIES)
        try:
            while not place.halt.is_set():
                place.answering = asyncio.create_task(
                    dialogue.answer(conversation, body, language=language, show=show, tell=tell)
                )
                try:
                    return await place.answering
                except EngineBusy:
                    # Nothing failed: the event is safe, and its turn comes.
                    await _unless(place.halt, _BUSY)
                except TooLong as exc:
                    log.warning("a turn does not fit, alone as it is: %s", exc)
                    return _unwritten(body, dialogue.voice.say(language, "answer.no_room"))
                except EngineError as exc:
                    place.shown = ""
                    log.warning("the engine failed: %s", exc)
                    pause = next(retries, None)
                    if pause is None:
                        return _unwritten(body, dialogue.voice.say(language, "answer.broke"))
                    await _unless(place.halt, pause)
                except asyncio.CancelledError:
                    current = asyncio.current_task()
                    if current is not None and current.cancelling():
                        raise  # the answer, which was waited for, was cancelled with it
                    break
            return _unwritten(body, place.shown or dialogue.voice.say(language, "answer.stopped"))
        finally:
            place.answering = None
            for task in beside:
                task.cancel()


async def _unless(halted: asyncio.Event, seconds: float) -> None:
    """Waits, but no longer than until the answer is not wanted any more."""
    with suppress(TimeoutError):
        await asyncio.wait_for(halted.wait(), seconds)


async def _unharmed(courtesy: Awaitable[None]) -> None:
    """Waits for what a platform shows beside replies: a defect of its adapter must cost nobody his answer."""
    try:
        await courtesy
    except Exception:
        log.exception("a preview, or the end of one, met a defect")


def _unwritten(body: Sequence[str | Photo], text: str) -> Outcome:
    """An answer that the model did not finish: the question stays in the conversation, with what the customer read."""
    exchange = Exchange(body=tuple(body), answer=Answer(action=Action.NONE, seen=None, reply=text))
    return Outcome(text=text, source="rule", exchanges=(exchange,), trace=Trace())
