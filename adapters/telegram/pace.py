"""Every time that the channel keeps to, in one place."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds, all of them."""

    #: How long Telegram may hold a question for news. Below the half minute after which cheap home routers forget a
    #: silent connection, so that a dead line is noticed.
    long_poll: int = 25
    #: Wait after a first failure; doubled with each further one.
    first_retry: float = 0.5
    #: Longest wait between two tries, however long the line was dead.
    last_retry: float = 30.0
    #: Wait after another poller took our place.
    after_conflict: float = 5.0
    #: Wait when Telegram could not be reached; the line may be back at once.
    unreachable: float = 1.0
    #: Wait when Telegram fails, or says «not now» without saying when.
    not_now: float = 5.0
    #: Wait while a person has to put the right token in.
    token_refused: float = 60.0
    #: Between two states of a preview: Telegram's flood limit for one chat.
    preview: float = 1.0
    #: A preview vanishes 30 s after it was last shown; it is shown again in time while the answer is being made.
    preview_again: float = 20.0
    #: For an answer to a call, beyond those that Telegram holds a question for.
    answer: float = 20.0
    #: Most for the download of one photo.
    download: float = 120.0


class Backoff:
    """Growing waits between tries, each with jitter so that many bots do not come back in step."""

    def __init__(self, first: float, last: float) -> None:
        self._first, self._last = first, last
        self._tries = 0

    def wait(self) -> float:
        """Seconds until the next try."""
        whole: float = min(self._last, self._first * 2 ** min(self._tries, 16))
        self._tries += 1
        return whole * (0.5 + random.random() / 2)

    def reset(self) -> None:
        self._tries = 0
