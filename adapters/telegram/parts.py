"""A reply as the messages that Telegram takes, in the order in which they are sent. Pure.

Words come first, since they are what the customer waits for, with the choices under the last of them; then the
pictures. A single product goes out as its picture with name and price below; several as lines in the words, because
the captions of an album are hidden until one opens a picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.errors import SendError
from bot.model import Choice, Offer, Reply, money

from .text import CAPTION, split

#: Pictures of one album.
_ALBUM = 10
#: Bytes of what a button gives back.
_CHOICE_BYTES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    text: str
    #: Buttons below.
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    data: bytes
    caption: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """One picture, or two to ten as an album."""

    items: tuple[Picture, ...]


Part = Words | Pictures


def parts(reply: Reply, photos: Sequence[bytes], pictures: Mapping[str, bytes]) -> tuple[Part, ...]:
    """``photos`` are those of the reply, ``pictures`` those of its offers by product, as far as there are any.

    Raises :class:`SendError` for a reply that no message can carry.
    """
    for choice in reply.choices:
        if not 1 <= len(choice.id.encode()) <= _CHOICE_BYTES:
            raise SendError(
                f"choice {choice.id!r} has {len(choice.id.encode())} bytes; a Telegram button takes 1 to 64"
            )
    single = len(reply.offers) == 1 and reply.offers[0].product in pictures
    lines = [] if single else [_line(offer) for offer in reply.offers]
    texts = split("\n\n".join(filter(None, [reply.text, "\n".join(lines)])))
    if reply.choices and not texts:
        raise SendError("a reply that offers choices has no words to put them under")
    words = [Words(text=text, choices=reply.choices if text is texts[-1] else ()) for text in texts]
    shown = [Picture(data=data) for data in photos]
    shown += [
        Picture(data=pictures[offer.product], caption=split(_line(offer), CAPTION)[0])
        for offer in reply.offers
        if offer.product in pictures
    ]
    albums = [Pictures(items=tuple(shown[at : at + _ALBUM])) for at in range(0, len(shown), _ALBUM)]
    return (*words, *albums)


def _line(offer: Offer) -> str:
    return f"{offer.name} ¥{money(offer.price)}"
