"""How customers ask: the wordings of ``wordings.toml``, and the sloppiness of people who type on a phone."""

from __future__ import annotations

import random
import tomllib
from pathlib import Path
from typing import Any

_FILE: dict[str, Any] = tomllib.loads((Path(__file__).parent / "wordings.toml").read_text(encoding="utf-8"))

Asks = tuple[str, ...]


def _list(key: str) -> Asks:
    return tuple(_FILE[key])


def _lists(key: str) -> dict[str, Asks]:
    return {name: tuple(asks) for name, asks in _FILE[key].items()}


NICKNAMES = _lists("nicknames")
#: About the photo that came last.
ABOUT_PHOTO = _lists("about_photo")
#: «Is this what I ordered?»
ORDERED = _list("ordered")
#: A damaged thing is complained of, with a photo and without.
BROKEN, BROKEN_UNSEEN = _list("broken"), _list("broken_unseen")
ORDER_STATE, ORDER_WHAT, GIVES_ORDER = _list("order_state"), _list("order_what"), _list("gives_order")
NAMED = _lists("named")
BROWSE, SUGGEST = _list("browse"), _list("suggest")
#: A photo, or a name, is meant and not there.
NO_PHOTO, NO_NAME = _list("no_photo"), _list("no_name")
UNKNOWN_PROPERTY = _list("unknown_property")
PERSON = _list("person")
NOT_SOLD, NOT_SOLD_ASK = _list("not_sold"), _list("not_sold_ask")
USES: dict[str, str] = _FILE["uses"]
#: Intent → what is asked, and the one reply.
TALK: dict[str, tuple[Asks, str]] = {name: (tuple(t["asks"]), t["reply"]) for name, t in _FILE["talk"].items()}
#: (title, passage, questions) as other shops have them: figures and words vary, so that lines are copied and
#: not remembered.
POLICY: tuple[tuple[str, str, Asks], ...] = tuple(
    (p["title"], p["text"], tuple(p["questions"])) for p in _FILE["policy"]
)
ENGLISH_ASK = _lists("english_ask")

_BEFORE = ("你好，", "请问", "老板，", "亲，", "麻烦", "那个，", "您好 ", "hi,", "想问下", "哎，", "帮忙看下，")
_AFTER = ("呀", "呢", "啊", "谢谢", ",急", "😂", "🙏", "~", "哈", ",谢谢", "😊", "!")
_PLEASE = ("hi, ", "hello, ", "please: ", "hey ")


_MARKS = "\uff1f\uff0c\uff01\uff1a?,!:"
_TO_ASCII = str.maketrans(dict(zip(_MARKS[:4], _MARKS[4:], strict=True)))


def typed(text: str, rng: random.Random) -> str:
    """As someone types it: with or without greeting, mark and blank; a slip now and then."""
    if rng.random() < 0.15:
        text = rng.choice(_BEFORE) + text
    if rng.random() < 0.15:
        text = text.rstrip(_MARKS) + rng.choice(_AFTER)
    mark = rng.random()
    if mark < 0.3:
        text = text.rstrip(_MARKS)
    elif mark < 0.4 and text[-1] not in _MARKS:
        text += rng.choice(("\uff1f", "。", "\uff01", "??"))
    if rng.random() < 0.45:  # a keyboard in its Latin mode
        text = text.translate(_TO_ASCII)
    if len(text) > 4 and rng.random() < 0.03:
        at = rng.randrange(len(text) - 1)
        text = text[:at] + rng.choice((text[at + 1] + text[at], text[at])) + text[at + 2 :]
    return text


def typed_english(text: str, rng: random.Random) -> str:
    if rng.random() < 0.1:
        text = rng.choice(_PLEASE) + text
    if rng.random() < 0.3:
        text = text.rstrip("?!.")
    return text.lower() if rng.random() < 0.3 else text
