"""What only Telegram can answer, beside the tree in :mod:`bot.errors`.

BotError
├── Conflict             somebody else receives the bot's messages
└── SendError
    ├── TryLater
    │   └── TokenRefused the token is wrong or was revoked: what waits is sent when the owner has put the right one in
    ├── Unsupported      this server does not know the method
    └── Rejected         the request itself is at fault; ``description`` has the server's words
"""

from __future__ import annotations

from bot.errors import BotError, SendError, TryLater


class Conflict(BotError):
    """Somebody else receives the bot's messages: a second poller, or the webhook that is set."""

    def __init__(self, detail: str, *, webhook: bool) -> None:
        super().__init__(detail)
        self.webhook = webhook


class TokenRefused(TryLater):
    """The token is wrong or was revoked."""


class Unsupported(SendError):
    """This server does not know the method."""


class Rejected(SendError):
    """The request itself is at fault; sending it again changes nothing."""

    def __init__(self, detail: str, *, description: str) -> None:
        super().__init__(detail)
        self.description = description
