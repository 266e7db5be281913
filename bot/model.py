"""The values that walk through the house. Pure, frozen, keyword-only; no I/O here.

Times are aware UTC datetimes, money is :class:`~decimal.Decimal`. A value never carries a platform's own object:
what a platform needs back is the opaque ``route`` string, echoed by the core.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Who writes: one person on one account of one channel."""

    channel: str
    #: Which of the shop's accounts he wrote to (a bot's id, an ``open_kfid``); it names the shop.
    account: str
    id: str

    def __str__(self) -> str:
        return f"{self.channel}:{self.account}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> Customer:
        """The inverse of ``str``. Raises :class:`ValueError` when a part is missing."""
        channel, account, id_ = text.split(":", 2)
        return cls(channel=channel, account=account, id=id_)


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """A stored photo: known by what arrived, kept only as the normalised JPEG."""

    #: Hex SHA-256 of the bytes as they arrived.
    sha256: str
    media_type: str
    #: Pixels of the normalised picture.
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoRef:
    """A photo that the platform still holds: fetched by its adapter after the event is safe."""

    ref: str
    #: Bytes as the platform announced them, if it did.
    size: int | None = None


class EventKind(StrEnum):
    MESSAGE = "message"
    EDITED = "edited"
    COMMAND = "command"
    CHOICE = "choice"
    #: The customer opened the chat.
    ENTERED = "entered"
    RECALLED = "recalled"
    SEND_FAILED = "send_failed"
    #: A person of the shop wrote to the customer outside the bot.
    STAFF_SPOKE = "staff_spoke"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened on a platform, as every adapter tells it."""

    #: The platform's own id, unique per customer's account; a second arrival of it has no effect.
    id: str
    customer: Customer
    at: datetime
    kind: EventKind = EventKind.MESSAGE
    text: str = ""
    photos: tuple[Photo, ...] = ()
    #: Photos still to be fetched through the adapter.
    refs: tuple[PhotoRef, ...] = ()
    #: Why pictures of this event cannot be used: reasons of :class:`~bot.errors.PhotoError`, or «gone».
    faults: tuple[str, ...] = ()
    #: What arrived that is neither words nor a photo: «voice», «video», «file», «sticker», «location» …
    attachment: str | None = None
    #: Pieces of one album share it.
    album: str | None = None
    #: What the platform needs back with the reply; opaque to the core.
    route: str = ""
    #: The platform's or the page's word on the customer's language, if it has one.
    language: Language | None = None
    #: The id of the message that this event edits or recalls.
    target: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    what: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The model's record of what the photos show. Words of the shop's language, never trusted as facts."""

    kind: str
    colour: str
    pattern: str
    count: int
    defects: tuple[Defect, ...] = ()
    #: Of the photo: a code of ``bot.answer.QUALITIES``, the same in every language.
    quality: str = ""


class Action(StrEnum):
    """What the model proposes. It decides nothing: code does."""

    NONE = "none"
    #: The answer needs the shop's data about what the photo shows.
    LOOK_UP = "look_up"
    NEED_PHOTO = "need_photo"
    NEED_ORDER = "need_order"
    COMPLAINT = "complaint"
    PERSON = "person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One whole answer of the model, as the grammar makes it: action, then what was seen, then the reply."""

    action: Action
    seen: Seen | None
    reply: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One line of the shop's data, with the id of the row it came from (``product:12``, ``policy:returns``)."""

    id: str
    text: str


def money(amount: Decimal) -> str:
    """«89», «19.9»: as a price tag has it, wherever a price is shown."""
    return f"{amount.normalize():f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    sku: str
    colour: str
    #: The sizes on sale, in order: («S», «M»).
    sizes: tuple[str, ...]
    price: Decimal
    stock: int
    #: File below the knowledge folder («pictures/tshirt-striped-red.jpg»); empty when there is none.
    picture: str = ""
    colour_also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    id: str
    name: str
    kind: str
    pattern: str
    material: str
    #: What one would say of it in a line.
    about: str
    variants: tuple[Variant, ...]
    #: What else customers call its kind and its pattern, in any language: («短袖», «T-shirt»).
    kind_also: tuple[str, ...] = ()
    pattern_also: tuple[str, ...] = ()

    def named(self, variant: Variant) -> str:
        """A variant's name: its colour and the product's; words of Latin letters keep apart."""
        apart = variant.colour[-1:].isascii() and self.name[:1].isascii()
        return (" " if apart else "").join(filter(None, [variant.colour, self.name]))


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    sku: str
    #: Name as ordered, colour included.
    name: str
    quantity: int
    price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    number: str
    #: Last four digits of the phone; the second half of what a stranger must know.
    phone_tail: str
    status: str
    at: datetime
    lines: tuple[OrderLine, ...]
    carrier: str = ""
    tracking: str = ""


def joined(number: str) -> str:
    """The spelling in which orders' numbers are compared, without hyphens and blanks, in capital letters: written so or
    so («tb-2026-77», «TB 202677»), it is the same number. A shop's folder holds none of them twice.
    """
    return number.replace("-", "").replace(" ", "").upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySection:
    id: str
    title: str
    #: Passages; the first stands in the prompt of every customer, the rest is found by search.
    passages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Faq:
    """A question that customers ask often, with the shop's own answer."""

    id: str
    question: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """All that a shop's folder says."""

    products: tuple[Product, ...] = ()
    policy: tuple[PolicySection, ...] = ()
    faq: tuple[Faq, ...] = ()
    orders: tuple[Order, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A product as the customer sees it beside a reply: picture and price from the data, never from the model."""

    product: str
    name: str
    price: Decimal
    stock: int
    picture: str = ""


#: A stranger must know an order's number and its phone's tail: one of them was not told, or they belong to no order.
Unproven = Literal["tail", "number", "wrong"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the shop's data says about one turn."""

    lines: tuple[Fact, ...] = ()
    offers: tuple[Offer, ...] = ()
    #: Why an order that was asked for is not among them.
    unproven: Unproven | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One question and its answer as they stand in the prompt; a look-up makes two of them.

    ``body`` is words and photos in the order in which they came. Never rewritten once answered: the engine's memory of
    the conversation is a prefix of the next request only as long as this holds.
    """

    body: tuple[str | Photo, ...]
    facts: tuple[Fact, ...] = ()
    answer: Answer | None = None


Speaker = Literal["customer", "bot", "staff"]
Source = Literal["faq", "model", "rule", "staff", "notice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one side said, as a person reads it."""

    speaker: Speaker
    text: str
    photos: tuple[Photo, ...] = ()
    at: datetime


Holder = Literal["bot", "queue", "staff"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A customer's conversation: its head is fixed when it begins, its exchanges only grow."""

    id: int
    customer: Customer
    language: Language
    #: Who speaks for the shop; one truth, in the store.
    holder: Holder = "bot"
    #: The one line on the customer that opens the prompt; fixed, since what follows it is computed once.
    head: str = ""
    #: One line for what was folded away, or nothing.
    folded: str = ""
    exchanges: tuple[Exchange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What an answer cost, in tokens."""

    prompt: int = 0
    #: Of the prompt, how many were not computed again.
    reused: int = 0
    reply: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(prompt=other.prompt, reused=other.reused, reply=self.reply + other.reply)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Where an answer's seconds went."""

    queue_s: float = 0.0
    image_s: float = 0.0
    first_token_s: float = 0.0
    total_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Something to tap: an id that comes back in an event of kind ``choice``, and its words."""

    id: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What goes out to a customer."""

    customer: Customer
    text: str
    route: str = ""
    photos: tuple[Photo, ...] = ()
    offers: tuple[Offer, ...] = ()
    choices: tuple[Choice, ...] = ()
    source: Source = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """How a reply came to be: for the owner who tries the bot out, and for ``ask --json``."""

    action: Action = Action.NONE
    seen: Seen | None = None
    facts: tuple[Fact, ...] = ()
    model: str = ""
    timings: Timings = field(default_factory=Timings)
    tokens: Tokens = field(default_factory=Tokens)
    notice: str | None = None
    #: Steps of the way through the house with the seconds each took: event, facts, prompt, answer, guard …
    steps: tuple[tuple[str, float], ...] = ()
    #: What the guard stopped, by its reason.
    stopped: tuple[str, ...] = ()
