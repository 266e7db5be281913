"""How one shop speaks: what all its customers share of the prompt, and what its fixed sentences name."""

from __future__ import annotations

from dataclasses import dataclass

from bot import words
from bot.model import Language
from bot.ports import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """A shop's voice; :func:`bot.app.voice` makes it of the shop's own files."""

    shop: str
    contact: str
    #: Says that a machine speaks; empty when the shop wants none.
    label: str
    #: The language that the shop's data and prompt are written in.
    language: Language
    system: Message
    max_tokens: int
    history_turns: int
    notice_after_s: float
    notice_text: str = ""

    def say(self, language: Language, key: str, **values: object) -> str:
        """A fixed sentence, naming this shop where it names one. An unknown key is a :class:`KeyError`."""
        return words.say(language, key, **{"contact": self.contact, "shop": self.shop, **values})

    def labelled(self, text: str) -> str:
        """The text with the label that says who speaks, for channels that do not show it themselves."""
        return f"【{self.label}】{text}" if self.label else text
