"""Words for customers that do not depend on the model: one file per language, ``words/{language}.toml``."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import get_args

from bot.model import Language

_FOLDER = Path(__file__).parent / "words"
_NO_WORD = re.compile(r"[@/\\_\d]|\.\w|^[A-Z]+-[A-Z-]+\W*$|\w{30}")
LANGUAGES: tuple[Language, ...] = get_args(Language)


@cache
def _table(language: Language) -> dict[str, str]:
    with (_FOLDER / f"{language}.toml").open("rb") as file:
        return {f"{part}.{key}": text for part, words in tomllib.load(file).items() for key, text in words.items()}


def keys(language: Language) -> set[str]:
    return set(_table(language))


def say(language: Language, key: str, **values: object) -> str:
    """The sentence of a key (``photo.broken``), its variables filled in. An unknown key is a :class:`KeyError`."""
    return _table(language)[key].format(**values)


def duration(language: Language, seconds: float) -> str:
    """A time as one says it: upwards to 5 s below half a minute, to 10 s below 90 s, else to minutes."""
    if seconds <= 90:
        step = 5 if seconds <= 30 else 10
        return say(language, "notice.seconds", n=max(step, -int(-seconds // step) * step))
    return say(language, "notice.minutes", n=-int(-seconds // 60))


def language_of(text: str, otherwise: Language) -> Language:
    """The language that words are written in, by their script; ``otherwise`` when they say nothing about it.

    A link, an address or an article's number is no word of any language.
    """
    if any("\u3400" <= ch <= "\u9fff" for ch in text):
        return "zh"
    words = " ".join(word for word in text[:2_000].split() if not _NO_WORD.search(word))
    if sum(ch.isascii() and ch.isalpha() for ch in words) >= 3:
        return "en"
    return otherwise
