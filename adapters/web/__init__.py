"""The customer's page: one chat over a WebSocket, and the shop window beside it."""

from .adapter import WebAdapter
from .pace import Pace, Rates
from .shop import Example, WebShop, read_examples

__all__ = ["Example", "Pace", "Rates", "WebAdapter", "WebShop", "read_examples"]
