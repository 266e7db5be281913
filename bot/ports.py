"""What the bot asks of the world, as small protocols. The adapters, the engines and the store implement them.

Nothing here knows a platform, a database or a model library. Method names are the same in the port, in every
implementation and in the tests' fakes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from bot.model import (
    Conversation,
    Customer,
    Event,
    Exchange,
    Fact,
    Facts,
    Faq,
    Knowledge,
    Language,
    Offer,
    Order,
    Photo,
    PhotoRef,
    PolicySection,
    Product,
    Reply,
    Seen,
    Timings,
    Tokens,
    Trace,
    Turn,
)

# ------------------------------------------------------------------------------------------------ engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a prompt, strictly ``system`` first and then ``user`` and ``assistant`` in turn.

    In a user's message ``body`` is words and photos as they came and ``facts`` the lines that the shop's data adds. The
    border between them is where an engine may fork: what joins later is appended to ``body``.
    """

    role: Literal["system", "user", "assistant"]
    body: tuple[str | Photo, ...]
    facts: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call of the model. It says everything: an engine may remember, but never needs to."""

    #: Requests of one conversation grow: while the messages of the last one are a prefix, nothing is computed again.
    conversation: str
    messages: tuple[Message, ...]
    #: JSON Schema of the answer; properties are written in the schema's order.
    schema: dict[str, Any]
    #: Most tokens of the answer.
    max_tokens: int
    #: Smaller is sooner: 0 a waiting customer, 1 work in the background.
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of an answer as it is written; the last one carries the figures."""

    text: str
    done: bool = False
    #: Why it ended: «stop», «length», «repetition».
    finish: str | None = None
    timings: Timings | None = None
    tokens: Tokens | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """How long a request will take from now, by what was measured on this host."""

    #: Seconds to the first word of the reply, queue included.
    first_s: float
    #: Seconds to its end.
    whole_s: float
    #: How many others are served before.
    ahead: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    #: Name as ``bot.toml`` has it, or the file's.
    model: str
    #: Name as people know it.
    title: str
    #: One plain sentence: what it is good for, in each language.
    notes: Mapping[Language, str]
    #: Which prompt of ``bot/prompts`` suits it: «brief» or «full».
    prompt: str
    #: Most fact lines that it handles well in one message.
    fact_lines: int
    #: Hash of the system text that the model was trained on, when it is tied to one.
    prompt_sha256: str | None = None


class Engine(Protocol):
    """A model that sees and answers. Use as ``async with engine:``; leaving frees everything."""

    @property
    def info(self) -> EngineInfo: ...

    async def __aenter__(self) -> Engine: ...

    async def __aexit__(self, *exc: object) -> None: ...

    def ready(self) -> str | None:
        """``None`` when it answers, else why not; whoever asks it then gets an :class:`~bot.errors.EngineError`."""
        ...

    def answer(self, request: Request) -> AsyncIterator[Chunk]:
        """Streams the answer. Closing the iterator cancels.

        Raises :class:`~bot.errors.EngineError`; :class:`~bot.errors.Erased` when the conversation was forgotten, while
        it was answered or before.
        """
        ...

    def estimate(self, request: Request) -> Estimate: ...

    async def warm(self, system: Message, photos: Sequence[Photo] = ()) -> None:
        """Prepares what requests will share: the system text, and photos whose words are still being typed.

        A favour, which any request may delay or end. Cancelling ends it. Raises :class:`~bot.errors.EngineError`, as
        :class:`~bot.errors.TooLong` when the system text leaves no room for a question and its answer.
        """
        ...

    async def forget(self, conversations: Sequence[str], photos: Sequence[str]) -> None:
        """Drops everything held of these conversations and photos (SHA-256), on disk too; what is asked for these
        conversations from now on is refused as erased.
        """
        ...


# ------------------------------------------------------------------------------------------------ photos


class PhotoStore(Protocol):
    """Normalised photos under the hash of what arrived."""

    async def add(self, customer: Customer, data: bytes, *, event: str | None = None) -> Photo:
        """Normalises and keeps one picture as this customer's: erasing him takes it, unless others sent it too.

        The same bytes are kept once. A picture that comes before its words may be a customer's first sign, and makes
        him. One that was fetched for an accepted ``event`` (its id) never does: when that event is gone, nothing is
        kept and :class:`~bot.errors.Erased` raised. Raises :class:`~bot.errors.PhotoError`, and
        :class:`~bot.errors.Unkept` when the picture is well and cannot be kept.
        """
        ...

    def ready(self) -> str | None:
        """``None`` when photos can be kept, else why not."""
        ...

    def read(self, sha256: str) -> bytes:
        """The normalised JPEG. Raises :class:`~bot.errors.StorageError` when it is not there."""
        ...


# ------------------------------------------------------------------------------------------------ store


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How far a platform's stream was taken in (an offset, a cursor): committed with the events, never before."""

    channel: str
    account: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A committed reply that its platform has not taken yet."""

    id: int
    reply: Reply
    trace: Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One row of a conversation as a page shows it: newest have the highest ``id``."""

    id: int
    turn: Turn
    #: The event that it came from or that it answers.
    event: str | None = None
    offers: tuple[Offer, ...] = ()
    trace: Trace | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What an erasure took away, by key: nobody may hold anything computed from it."""

    conversations: tuple[str, ...] = ()
    photos: tuple[str, ...] = ()


class Store(Protocol):
    """Customers, conversations, events and replies. What changes something does so in one transaction.

    A customer begins with his first event, photo or :meth:`begin`; nothing else brings back one who was erased. What
    belongs to an erased one raises :class:`~bot.errors.Erased`, but for :meth:`finish`, which then writes nothing.
    """

    def ready(self) -> str | None:
        """``None`` when what is said can be kept, else why not: what the last write met."""
        ...

    async def accept(self, events: Sequence[Event], mark: Mark | None = None) -> int:
        """Keeps events (known by customer's account and id) and the platform's mark. Returns how many were new."""
        ...

    async def mark(self, channel: str, account: str) -> str | None: ...

    async def waiting(self) -> list[Customer]:
        """Customers with events that are not done, the longest waiting first."""
        ...

    async def events(self, customer: Customer) -> list[Event]:
        """His events that are not done, in order of arrival."""
        ...

    async def fetched(self, event: Event, photos: Sequence[Photo], faults: Sequence[str]) -> Event:
        """Replaces an event's references by the photos behind them; ``faults`` are those that could not be used.

        Raises :class:`~bot.errors.Erased`.
        """
        ...

    async def conversation(self, customer: Customer, *, language: Language) -> Conversation:
        """His current conversation; begun with this language when there is none. Raises :class:`~bot.errors.Erased`
        when nothing is known of him.
        """
        ...

    async def begin(self, customer: Customer, *, language: Language) -> Conversation:
        """Closes the current conversation and begins another; the customer may be new."""
        ...

    async def open(self, conversation: Conversation, head: str) -> Conversation:
        """Fixes the head of a conversation that has none yet. Raises :class:`~bot.errors.Erased`."""
        ...

    async def fold(self, conversation: Conversation, folded: str, keep: int) -> Conversation:
        """Keeps the newest ``keep`` exchanges for the prompt; one line stands for the rest. Raises
        :class:`~bot.errors.Erased`.
        """
        ...

    async def finish(
        self,
        conversation: Conversation,
        done: Sequence[Event],
        exchanges: Sequence[Exchange],
        replies: Sequence[tuple[Reply, Trace]],
    ) -> list[Outgoing]:
        """One transaction: the events are done, the exchanges stand, the replies wait to be sent.

        An empty list, and nothing written, when one of the events is done already or its customer was erased.
        """
        ...

    async def outgoing(self) -> list[Outgoing]:
        """Replies that no platform has taken, oldest first."""
        ...

    async def unsent(self, outgoing: int, /) -> bool:
        """Whether the reply still waits to be sent: one whose customer was erased is gone."""
        ...

    async def sent(self, outgoing: int, /, *, error: str | None = None) -> None:
        """The platform took the reply, or never will (``error``)."""
        ...

    async def history(self, customer: Customer, *, after: int = 0, limit: int = 200) -> list[Said]:
        """What was said in the current conversation, oldest first."""
        ...

    async def photo(self, customer: Customer, sha256: str) -> Photo | None:
        """The photo under this hash, if this customer sent it or was sent it."""
        ...

    # --- the customer's rights

    async def export(self, customer: Customer) -> dict[str, Any]:
        """Everything held of one customer, as plain JSON values; photos by their hash."""
        ...

    async def erase(self, customer: Customer) -> Erased:
        """Removes everything of one customer but a content-free audit row, and leaves tombstones for engines."""
        ...

    async def tombstones(self) -> Erased:
        """Conversations and photos that engines must not keep, those of earlier erasures included."""
        ...

    # --- the shop's data

    async def knowledge_version(self, shop: str) -> str | None:
        """What :meth:`learn` was last told for this shop."""
        ...

    async def learn(self, shop: str, knowledge: Knowledge, version: str) -> None:
        """Replaces a shop's products, policy, questions and orders; bindings of orders to customers stay."""
        ...

    async def products(self, shop: str) -> list[Product]: ...

    async def policy(self, shop: str) -> list[PolicySection]: ...

    async def faq(self, shop: str) -> list[Faq]: ...

    async def orders(self, shop: str, customer: Customer) -> list[Order]:
        """Orders bound to this customer, newest first."""
        ...

    async def bind(self, shop: str, customer: Customer, number: str, phone_tail: str) -> Order | None:
        """Binds an order to a customer who knows its number and the phone's last four digits; else ``None``.

        Hyphens and capital letters make no difference to a number. Raises :class:`~bot.errors.Erased`.
        """
        ...


class FactSource(Protocol):
    """The shop's data, asked for one turn."""

    async def facts(self, customer: Customer, words: str, seen: Seen | None) -> Facts:
        """What fits these words, or what was seen in the photos, held against the orders that the words name. Only what
        this customer may know.
        """
        ...

    async def current(self, customer: Customer, ids: Collection[str]) -> Sequence[Fact]:
        """What the rows of these facts say now, in the order of ``ids``; rows that are gone or not his are left out."""
        ...

    async def orders(self, customer: Customer) -> Sequence[str]:
        """The lines of this customer's orders, the newest first."""
        ...


# ------------------------------------------------------------------------------------------------ adapters


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a channel can do. The core asks these fields and never a channel's name."""

    #: Whether a customer can be shown an answer while it is written.
    preview: bool = False
    #: Whether the channel keeps the AI label in sight; else every reply of the bot begins with it.
    shows_label: bool = False


Accept = Callable[[Sequence[Event], Mark | None], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of ``doctor``."""

    ok: bool
    what: str
    #: What to do, when it is not ok.
    fix: str = ""


class Adapter(Protocol):
    """One platform. ``run`` receives until it is cancelled; everything it takes in goes through ``accept``."""

    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> Capabilities: ...

    def mounts(self) -> Sequence[tuple[str, Any]]:
        """(path, ASGI app) pairs for the one server."""
        ...

    async def run(self, accept: Accept) -> None: ...

    def ready(self) -> str | None:
        """``None`` when the channel works, else why not."""
        ...

    async def fetch(self, event: Event, ref: PhotoRef) -> bytes:
        """The bytes of a photo. Raises :class:`~bot.errors.PhotoError` or :class:`~bot.errors.TryLater`."""
        ...

    async def send(self, outgoing: Outgoing) -> None:
        """Delivers one reply. Raises :class:`~bot.errors.SendError`."""
        ...

    async def thinking(self, customer: Customer, route: str) -> None:
        """Shows that an answer is being made. Called again every few seconds; never raises."""
        ...

    async def preview(self, customer: Customer, route: str, text: str) -> None:
        """Shows the part of the answer that passed the guard; the committed reply replaces it. Never raises."""
        ...

    async def notice(self, customer: Customer, route: str, text: str, until: datetime, ahead: int) -> None:
        """Tells a customer that his answer takes a while: until when, and how many are served before him."""
        ...

    async def over(self, customer: Customer) -> None:
        """A turn of his ended without a reply: he was erased, a person speaks, or there is nothing to answer.

        What was shown of an answer on its way ends here. Never raises.
        """
        ...

    async def check(self) -> Sequence[Finding]:
        """What ``doctor`` says of this channel."""
        ...
