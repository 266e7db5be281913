"""What customers call the things that shops write about: ``words/search.toml``, read once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

#: How shops write that there is no pattern.
PLAIN = ("", "纯色", "plain")


def any_of(words: Iterable[str]) -> re.Pattern[str]:
    """Any of these words, the longest first; Latin ones whole."""
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile("|".join(rf"\b{re.escape(w)}\b" if w.isascii() else re.escape(w) for w in longest_first))


@dataclass(frozen=True, slots=True)
class Vocabulary:
    #: Word of a customer → topic.
    topic_of: dict[str, str]
    topics: re.Pattern[str]
    idle: re.Pattern[str]
    #: A kind, pattern or colour → its other names.
    names: dict[str, tuple[str, ...]]
    #: Any of these, in lower case → (kinds | patterns | colours, the name that stands for it).
    name_of: dict[str, tuple[str, str]]
    named: re.Pattern[str]


@cache
def vocabulary() -> Vocabulary:
    with (Path(__file__).parent / "words" / "search.toml").open("rb") as file:
        raw = tomllib.load(file)
    topic_of = {name: topic for topic, names in raw["topics"].items() for name in (topic, *names)}
    name_of: dict[str, tuple[str, str]] = {}
    for sort, names in raw["names"].items():
        for name, also in names.items():
            for each in map(str.lower, (name, *also)):
                name_of[each] = (sort, name)
                if each.isascii():
                    name_of |= dict.fromkeys((f"{each}s", f"{each}es"), (sort, name))
    return Vocabulary(
        topic_of=topic_of,
        topics=any_of(topic_of),
        idle=any_of(raw["idle"]["words"]),
        names={name: tuple(also) for names in raw["names"].values() for name, also in names.items()},
        name_of=name_of,
        named=any_of(name_of),
    )


def named(text: str) -> frozenset[tuple[str, str]]:
    """The (kinds | patterns | colours, name) that a text speaks of, whatever it calls them; «plain» says nothing."""
    known = vocabulary()
    found = {known.name_of[m[0]] for m in known.named.finditer(text.lower())}
    return frozenset((sort, name) for sort, name in found if name not in PLAIN)


def topics(text: str) -> frozenset[str]:
    """The topics that a text speaks of («退换», «保修»)."""
    known = vocabulary()
    return frozenset(known.topic_of[m[0]] for m in known.topics.finditer(text.lower()))
