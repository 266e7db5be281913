"""Telegram: customers write to the shop's bot in private chats; received by polling, answered over the Bot API."""

from .adapter import TelegramAdapter
from .pace import Pace

__all__ = ["Pace", "TelegramAdapter"]
