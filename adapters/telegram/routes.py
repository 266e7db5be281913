"""The opaque ``route`` of events and replies: where in Telegram they belong, as a line of JSON.

Unknown keys are read over, so that a route which a later version wrote into the database still finds its chat.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from bot.errors import SendError
from bot.model import Customer


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    #: The private chat.
    chat: int
    #: The message whose button was tapped.
    message: int | None = None
    #: The tap itself: Telegram shows a clock on the button until it is answered.
    query: str | None = None

    def __str__(self) -> str:
        parts = {"chat": self.chat, "message": self.message, "query": self.query}
        return json.dumps({key: value for key, value in parts.items() if value is not None}, separators=(",", ":"))

    @classmethod
    def parse(cls, text: str) -> Route:
        """The inverse of ``str``. Raises :class:`ValueError` on what no version wrote."""
        parts = json.loads(text)
        if not isinstance(parts, dict) or not isinstance(parts.get("chat"), int):
            raise ValueError("a route names its chat")
        return cls(chat=parts["chat"], message=parts.get("message"), query=parts.get("query"))


def chat(customer: Customer, route: str) -> int:
    """The chat of a reply; one without a route goes to the customer himself, whose private chat has his id."""
    try:
        return Route.parse(route).chat if route else int(customer.id)
    except ValueError as error:
        raise SendError(f"a reply to {customer} names no Telegram chat; it cannot be sent") from error
