"""Everything that can go wrong, as one tree.

BotError
├── ConfigError          the configuration is wrong: names the key and its line
├── StorageError         the database or the photo store cannot be used
│   └── Unkept           a photo cannot be kept, while the database is well
├── ModelError           a model cannot be found, loaded or trusted
├── Erased               the customer was erased while something of his was on its way: nobody is left to tell
├── PhotoError           a customer's picture cannot be used (its ``reason`` picks the sentence he gets)
├── EngineError          the engine failed on a request
│   ├── EngineBusy       it takes no more requests now
│   └── TooLong          the request does not fit, however much is folded away
└── SendError            a platform did not take a reply
    ├── TryLater         not now; ``seconds`` says when
    ├── Undeliverable    never to this customer (blocked, gone)
    └── Unknown          it may have arrived: never repeat it blindly

Edges translate what their vendors raise (``raise … from exc``). The message of an error is written for the owner:
what happened, to what, what to do now.
"""

from __future__ import annotations

from typing import Literal


class BotError(Exception):
    """Something the owner can understand and mend."""


class ConfigError(BotError):
    """The configuration is wrong."""


class StorageError(BotError):
    """The database or the photo store cannot be used."""


class Unkept(StorageError):
    """A photo cannot be kept, while the database is well."""


class ModelError(BotError):
    """A model cannot be found, loaded or trusted."""


class Erased(BotError):
    """The customer was erased while something of his was on its way; what is left of it is dropped."""


#: Why a picture cannot be used. «too_big» counts bytes, «too_many_pixels» what they unpack to: a small file may hold
#: more pixels than any machine wants to decode, and its sender must hear what to do about that.
PhotoFault = Literal["broken", "format", "too_big", "too_many_pixels", "too_small"]


class PhotoError(BotError):
    """A picture cannot be used; ``reason`` picks the sentence that the customer gets."""

    def __init__(self, reason: PhotoFault, detail: str) -> None:
        super().__init__(detail)
        self.reason: PhotoFault = reason


class EngineError(BotError):
    """The engine failed on a request."""


class EngineBusy(EngineError):
    """The engine takes no more requests now."""


class TooLong(EngineError):
    """The request does not fit into the model's context."""


class SendError(BotError):
    """A platform did not take a reply."""


class TryLater(SendError):
    """The platform wants us to wait."""

    def __init__(self, detail: str, *, seconds: float) -> None:
        super().__init__(detail)
        self.seconds = seconds


class Undeliverable(SendError):
    """This customer cannot be reached any more."""


class Unknown(SendError):
    """The reply may have arrived."""
