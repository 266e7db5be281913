"""What the page knows of its shop: its face, the examples that it offers, its shelf."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bot.errors import ConfigError
from bot.model import Language, Product, money

#: The folder of a shop's pictures, inside its knowledge folder, and the address that they are served under.
PICTURES = "pictures"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A photo to try the bot with, and the question that goes with it."""

    #: Path below the shop's folder of pictures.
    file: str
    #: The question, by language.
    words: Mapping[Language, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebShop:
    """The shop behind one page."""

    #: The account of this channel that customers write to; the shop's rows in the store carry the same name.
    account: str
    name: str
    #: Says that a machine answers; stands in the header at all times.
    ai_label: str
    language: Language
    #: Where a customer reaches a person of the shop.
    contact: str
    #: Shows the shelf, the examples and how each answer came to be. Off on a public site.
    demonstration: bool = False
    examples: tuple[Example, ...] = ()
    #: Questions to tap at the first visit, by language; empty: the page's own.
    questions: Mapping[Language, Sequence[str]] = field(default_factory=dict)
    #: What the model in use is good for, in a sentence by language; shown in the demonstration.
    note: Mapping[Language, str] = field(default_factory=dict)


def read_examples(knowledge: Path) -> tuple[Example, ...]:
    """The examples of a knowledge folder: ``examples.json`` and the pictures that it names, those that are there.

    A shop without the file has none. Raises :class:`~bot.errors.ConfigError` when the file cannot be read.
    """
    path = knowledge / "examples.json"
    if not path.is_file():
        return ()
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        found = [
            Example(file=file, words={"zh": row["zh"], "en": row["en"]})
            for row in rows
            if (file := _picture(knowledge, row["file"]))
        ]
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ConfigError(
            f'{path}: cannot be read as a list of {{"file", "zh", "en"}} ({exc}); mend it or remove it'
        ) from exc
    return tuple(found)


def _picture(knowledge: Path, file: str) -> str:
    """Where an example lies below the folder of pictures, or nothing."""
    folder = knowledge / PICTURES
    for candidate in (Path("examples") / file, Path(file), Path(file).relative_to(PICTURES) if _inside(file) else None):
        if candidate is not None and (folder / candidate).is_file():
            return candidate.as_posix()
    return ""


def _inside(file: str) -> bool:
    return Path(file).parts[:1] == (PICTURES,)


def picture_url(picture: str) -> str:
    """The address of a picture of the shop's folder, relative to the page; nothing for nothing."""
    if not picture:
        return ""
    return quote(f"{PICTURES}/{picture.removeprefix(PICTURES + '/')}")


def shelf(products: Sequence[Product]) -> list[dict[str, Any]]:
    """The shop's products as the window shows them: one card for each, their colours taking turns."""
    cards = []
    for at, product in enumerate(product for product in products if product.variants):
        variant = product.variants[at % len(product.variants)]
        cards.append(
            {
                "name": product.named(variant),
                "about": product.about,
                "price": money(variant.price),
                "stock": variant.stock,
                "picture": picture_url(variant.picture),
            }
        )
    return cards
