"""The language of the line between page and server: one JSON object a frame, ``type`` says which.

From the page come the classes below, checked on arrival. To the page go plain dictionaries, built here and nowhere
else::

    welcome    token, build                once a connection
    snapshot   conversation, holder, partial, rows, live
    said       rows                        the truth; known by id, an event's row replaces what the page drew for it
    taken      event                       safe here: the page may forget its copy
    refused    event, reason, seconds      not taken: long, many, empty, photo, pace
    preparing  –                           it is safe; an answer begins when the model is there
    thinking   waited                      an answer is being made, since so many seconds
    preview    text                        what of the answer is out so far, whole sentences
    notice     text, left, total, ahead    the answer takes a while: seconds left of how many, who is served before
    stopped    –                           the answer will not be finished
    pong       –
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from bot.model import Choice, Holder, Language, Offer, Photo, Trace, money
from bot.ports import Said

from .shop import picture_url

#: Most characters of one frame. What a page sends is far below it; more is not a page.
MOST_FRAME = 32_768
#: Most characters of one message.
MOST_TEXT = 4_000
#: Most photos that a frame may name while words are typed; how many go with one message is the core's to say.
MOST_PHOTOS = 9
#: What a page's numbers and a database's both hold.
_MOST_ID = 2**53 - 1


class FrameError(Exception):
    """A frame that no page of ours would send."""


#: A frame on its way to the page, or a part of one.
Sent = dict[str, Any]


def _storable(text: str) -> str:
    """Without NUL, which PostgreSQL refuses."""
    return text.replace("\0", "")


Text = Annotated[str, AfterValidator(_storable)]
#: Made by the page, once for each thing that it sends, so that sending again is safe.
EventId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Frame(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Hello(_Frame):
    type: Literal["hello"]
    #: What the server gave this browser on an earlier day, or null.
    token: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")] | None = None
    language: Language
    #: The newest row that the page has, and the conversation that it is of.
    after: int = Field(0, ge=0, le=_MOST_ID)
    conversation: int = Field(0, ge=0, le=_MOST_ID)


class Say(_Frame):
    type: Literal["say"]
    event: EventId
    text: Text = ""
    photos: list[Sha256] = []
    language: Language


class Choose(_Frame):
    type: Literal["choose"]
    event: EventId
    choice: Text
    language: Language


class Typing(_Frame):
    """Words are being typed; these photos will go with them."""

    type: Literal["typing"]
    photos: list[Sha256] = Field([], max_length=MOST_PHOTOS)


class Stop(_Frame):
    type: Literal["stop"]


class New(_Frame):
    type: Literal["new"]
    language: Language


class Ping(_Frame):
    type: Literal["ping"]


Frame = Annotated[Hello | Say | Choose | Typing | Stop | New | Ping, Field(discriminator="type")]
_FRAMES: TypeAdapter[Hello | Say | Choose | Typing | Stop | New | Ping] = TypeAdapter(Frame)


def read(text: str) -> Hello | Say | Choose | Typing | Stop | New | Ping:
    """One frame from the page. Raises :class:`FrameError`."""
    if len(text) > MOST_FRAME:
        raise FrameError("too long")
    try:
        # By way of Python's reader: JSON may spell half a surrogate pair, which no text holds; it becomes «?».
        whole = json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8", "replace")
        return _FRAMES.validate_json(whole)
    except (ValueError, RecursionError) as exc:
        raise FrameError("not a frame") from exc


# ---------------------------------------------------------------------------------------------- to the page


def welcome(token: str, build: str) -> Sent:
    return {"type": "welcome", "token": token, "build": build}


def snapshot(
    *,
    conversation: int = 0,
    holder: Holder = "bot",
    partial: bool = False,
    rows: Sequence[Sent] = (),
    live: Sequence[Sent] = (),
) -> Sent:
    """All of the current conversation, or (``partial``) what the page does not have; 0 when there is none."""
    return {
        "type": "snapshot",
        "conversation": conversation,
        "holder": holder,
        "partial": partial,
        "rows": [*rows],
        "live": [*live],
    }


def said(rows: Sequence[Sent]) -> Sent:
    return {"type": "said", "rows": [*rows]}


def taken(event: str) -> Sent:
    return {"type": "taken", "event": event}


def refused(event: str, reason: Literal["long", "many", "empty", "photo", "pace"], seconds: float = 0.0) -> Sent:
    return {"type": "refused", "event": event, "reason": reason, "seconds": round(seconds, 1)}


def preparing() -> Sent:
    return {"type": "preparing"}


def thinking(waited: float) -> Sent:
    return {"type": "thinking", "waited": round(waited, 1)}


def preview(text: str) -> Sent:
    return {"type": "preview", "text": text}


def notice(text: str, *, left: float, total: float, ahead: int) -> Sent:
    """Seconds, not a time of day: the clock of the browser may be anything."""
    return {"type": "notice", "text": text, "left": round(left, 1), "total": round(total, 1), "ahead": ahead}


def stopped() -> Sent:
    return {"type": "stopped"}


def pong() -> Sent:
    return {"type": "pong"}


def photo(value: Photo) -> Sent:
    return {"sha256": value.sha256, "width": value.width, "height": value.height}


def offer(value: Offer) -> Sent:
    return {
        "product": value.product,
        "name": value.name,
        "price": money(value.price),
        "stock": value.stock,
        "picture": picture_url(value.picture),
    }


def choice(value: Choice) -> Sent:
    return {"id": value.id, "label": value.label}


def row(line: Said, *, event: str | None, trace: bool, choices: tuple[Choice, ...] = ()) -> Sent:
    """One row of the conversation; ``event`` is the id as the page made it."""
    out: Sent = {
        "id": line.id,
        "speaker": line.turn.speaker,
        "text": line.turn.text,
        "photos": [photo(p) for p in line.turn.photos],
        "at": _milliseconds(line.turn.at.timestamp()),
        "event": event,
    }
    if line.offers:
        out["offers"] = [offer(o) for o in line.offers]
    if choices:
        out["choices"] = [choice(c) for c in choices]
    if trace and line.trace is not None:
        out["trace"] = _trace(line.trace)
    return out


def _trace(value: Trace) -> Sent:
    seen = value.seen
    return {
        "action": value.action.value,
        "seen": None
        if seen is None
        else {
            "kind": seen.kind,
            "colour": seen.colour,
            "pattern": seen.pattern,
            "count": seen.count,
            "defects": [[d.what, d.where] for d in seen.defects],
            "quality": seen.quality,
        },
        "facts": [{"id": f.id, "text": f.text} for f in value.facts],
        "model": value.model,
        "queue": value.timings.queue_s,
        "image": value.timings.image_s,
        "first": value.timings.first_token_s,
        "total": value.timings.total_s,
        "prompt": value.tokens.prompt,
        "reused": value.tokens.reused,
        "reply": value.tokens.reply,
        "steps": [[name, seconds] for name, seconds in value.steps],
        "stopped": list(value.stopped),
    }


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
