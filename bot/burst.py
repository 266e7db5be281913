"""A burst: what a customer sends in one go – how long to wait for the rest of it, and the turn that it makes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from bot import words
from bot.model import Event, EventKind, Language, Photo

#: Characters of a turn that the model reads, and photos; what is more is cut and the customer told so.
MOST_WORDS = 1_000
MOST_PHOTOS = 4

_ENDS = (*"。！？!?~～", "吗", "呢", "么", "谢谢", "thanks", "thank you")
#: Emoji, and as WeChat spells them («[微笑]»): nothing that a model could answer. A tick or a cross is an answer.
_FACES = re.compile(
    r"(?:(?![\u2705\u2713-\u2718\u274c\u274e\u2753-\u2757])"
    r"[\s\u200d\ufe0f\u2600-\u27bf\u2b50\u2b55\u2764\U0001f000-\U0001faff\U000e0020-\U000e007f]"
    r"|\[[\u3400-\u9fffA-Za-z]{1,8}\])+"
)
_SPOKEN = (EventKind.MESSAGE, EventKind.EDITED, EventKind.CHOICE)


def patience(events: Sequence[Event], merge_s: float) -> float:
    """Seconds that the newest event may still wait for the rest of a burst.

    A finished question goes at once, a lone photo waits longest: its words are being typed.
    """
    newest = events[-1]
    if newest.kind not in (EventKind.MESSAGE, EventKind.EDITED):
        return 0.0
    if newest.album is not None:
        return merge_s
    text = newest.text.strip().lower()
    if text and (newest.photos or newest.refs or text.endswith(_ENDS)):
        return min(0.2, merge_s)
    return min(0.6, merge_s) if text else merge_s


def turn(events: Sequence[Event], language: Language) -> tuple[list[str | Photo], list[str]]:
    """What the model is to answer – photos, then words; empty when there is nothing for it –, and the keys of the fixed
    sentences that are said before.
    """
    current = _current(events)
    body, cut = _body(current)
    faces = [part for part in body if isinstance(part, str) and _FACES.fullmatch(part)]
    if faces == body and faces:
        body, cut = [], ["unsupported.sticker"]
    return body, list(dict.fromkeys([*_rules(current, language), *cut]))


def _current(events: Sequence[Event]) -> list[Event]:
    """The events as they stand now: an edit takes the place of what it edits, a recall takes it away."""
    edited = {event.target: event for event in events if event.kind is EventKind.EDITED and event.target}
    recalled = {event.target for event in events if event.kind is EventKind.RECALLED}
    present = {event.id for event in events}
    out = []
    for event in events:
        if event.id in recalled or event.kind is EventKind.RECALLED:
            continue
        if event.id in edited:
            new = edited[event.id]
            # What was wrong with a photo goes with it: an edit that brings another one brings its faults too.
            faults = new.faults if new.photos or new.faults else event.faults
            out.append(replace(event, text=new.text, photos=new.photos or event.photos, faults=faults))
        elif event.kind is not EventKind.EDITED or event.target not in present:
            out.append(event)
    return out


def _rules(events: Sequence[Event], language: Language) -> list[str]:
    """What is said without the model: a greeting, a kind of message or a picture that cannot be read."""
    known, out = words.keys(language), []
    for event in events:
        if event.kind is EventKind.ENTERED or (event.kind is EventKind.COMMAND and not event.photos):
            out.append("answer.greeting")
        if event.attachment:
            key = f"unsupported.{event.attachment}"
            out.append(key if key in known else "unsupported.other")
        out += [f"photo.{fault}" for fault in event.faults]
    return out


def _body(events: Sequence[Event]) -> tuple[list[str | Photo], list[str]]:
    """Photos and words as the model reads them, and the keys of what to say about what was left out.

    Photos stand before words, as the model was trained: within one turn nothing was computed yet.
    """
    # A command is answered by rule; a photo under one is a photo.
    photos = [photo for e in events if e.kind in (*_SPOKEN, EventKind.COMMAND) for photo in e.photos]
    text = "\n".join(e.text.strip() for e in events if e.kind in _SPOKEN and e.text.strip())
    cut = []
    if len(photos) > MOST_PHOTOS:
        cut.append("photo.too_many")
    if len(text) > MOST_WORDS:
        cut.append("answer.too_long")
    return [*photos[:MOST_PHOTOS], *([text[:MOST_WORDS]] if text else [])], cut
