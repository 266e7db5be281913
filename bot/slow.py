"""The notice on a slow host: told at once, with a measured time and the place in the queue; never when it is fast."""

from __future__ import annotations

from bot import words
from bot.model import Language
from bot.ports import Estimate


def notice(estimate: Estimate, *, after_s: float, language: Language, photo: bool, text: str = "") -> str | None:
    """What to tell a customer whose answer will take ``estimate``; ``None`` when it comes before ``after_s`` seconds.

    ``text`` is the shop's own sentence, with ``{seconds}`` and ``{ahead}``.
    """
    if estimate.whole_s <= after_s:
        return None
    said = words.duration(language, estimate.whole_s)
    if text:
        return text.format(seconds=said.strip(), ahead=estimate.ahead)
    key = ("photo" if photo else "words") + ("_queue" if estimate.ahead else "")
    return words.say(language, f"notice.{key}", seconds=said, ahead=estimate.ahead)
