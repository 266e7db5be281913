"""Who a browser is: a token of the server's making that only this browser holds, and the customer behind it."""

from __future__ import annotations

import hashlib
import re
import secrets

from bot.model import Customer

CHANNEL = "web"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def new_token() -> str:
    """A fresh token: 256 random bits."""
    return secrets.token_urlsafe(32)


def customer_of(token: str, account: str) -> Customer:
    """The customer who holds this token. Database and logs see its hash: who reads them cannot become him."""
    return Customer(channel=CHANNEL, account=account, id=hashlib.sha256(token.encode()).hexdigest()[:32])


def bearer(authorization: str) -> str | None:
    """The token of an ``Authorization`` header."""
    scheme, _, token = authorization.partition(" ")
    return token if scheme.lower() == "bearer" and _TOKEN.fullmatch(token) else None


def event_id(customer: Customer, page_id: str) -> str:
    """The id of an event: the page's own, under the customer's, so that nobody can take another's id before him."""
    return f"{customer.id}.{page_id}"


def page_id(customer: Customer, event: str | None) -> str | None:
    """The inverse: what the page called this event; ``None`` when it was not a page that made it."""
    prefix = f"{customer.id}."
    return event.removeprefix(prefix) if event is not None and event.startswith(prefix) else None
