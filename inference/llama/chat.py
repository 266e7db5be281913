"""ChatML: how messages become the pieces that a Qwen model reads.

Pieces are tokenised one by one, so that a conversation that grows is always tokenised as it was before. Source: the
chat templates of Qwen2.5-VL and Qwen3-VL.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from bot.model import Photo
from bot.ports import Message

VISION_START, VISION_END = "<|vision_start|>", "<|vision_end|>"
IM_START, IM_END = "<|im_start|>", "<|im_end|>"
#: The one text that marks a GGUF as speaking ChatML.
MARKER = IM_START
#: Stands for a photo of an earlier message that cannot be read any more; in the words of both languages, since the
#: engine knows none.
LOST = "（照片已不在 photo gone）"


@dataclass(frozen=True, slots=True)
class Control:
    """Text in which special tokens count. Words of customers are never in one."""

    text: str


@dataclass(frozen=True, slots=True)
class Words:
    """Plain text: whatever looks like a special token in here is only letters."""

    text: str


@dataclass(frozen=True, slots=True)
class Image:
    photo: Photo


@dataclass(frozen=True, slots=True)
class Fork:
    """The border between a message's body and its facts: what joins later is appended before it."""


@dataclass(frozen=True, slots=True)
class Written:
    """A whole answer of the model, tokenised as its grammar writes it."""

    text: str


Piece = Control | Words | Image | Fork | Written


def opening(message: Message) -> Iterator[Piece]:
    """The pieces of a message up to the fork."""
    yield Control(f"{IM_START}{message.role}\n")
    if message.role == "assistant":
        for part in message.body:
            yield Written(str(part))
        return
    before: str | Photo | None = None
    for part in message.body:
        if isinstance(part, Photo):
            yield Control(VISION_START)
            yield Image(part)
            yield Control(VISION_END)
        elif isinstance(before, str) and not before.endswith("\n"):
            yield Words("\n" + part)
        else:
            yield Words(part)
        before = part


def closing(message: Message) -> Iterator[Piece]:
    """The pieces of a message from the fork on."""
    if message.facts:
        yield Words(("\n" if message.body else "") + message.facts)
    yield Control(f"{IM_END}\n")


def without(messages: tuple[Message, ...], lost: Collection[str]) -> tuple[Message, ...]:
    """The messages with :data:`LOST` where an earlier one shows a photo of these hashes; the newest stays as it is."""

    def left(part: str | Photo) -> str | Photo:
        return LOST if isinstance(part, Photo) and part.sha256 in lost else part

    return (*(replace(m, body=tuple(map(left, m.body))) for m in messages[:-1]), messages[-1])


def pieces(messages: tuple[Message, ...]) -> Iterator[Piece]:
    """All messages, and the opening of the answer to come. The one :class:`Fork` lies in the last message."""
    for message in messages[:-1]:
        yield from opening(message)
        yield from closing(message)
    yield from opening(messages[-1])
    yield Fork()
    yield from closing(messages[-1])
    yield Control(f"{IM_START}assistant\n")
