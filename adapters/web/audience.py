"""Who is listening: the open tabs of each customer, and what of an unfinished answer a tab that joins late must see."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from bot.model import Customer

from . import frames


class Listener(Protocol):
    """One open tab."""

    @property
    def customer(self) -> Customer: ...

    #: Id of the newest row that was put on its way to it.
    newest: int

    def show(self, frame: frames.Sent) -> None:
        """Puts a frame on its way. Never waits and never raises; who cannot keep up is let go."""
        ...

    def end(self, code: int, reason: str) -> None:
        """Ends the connection soon, with a close code of RFC 6455."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """An answer on its way."""

    #: When it was begun, by the clock below.
    began: float
    preview: str = ""
    #: Words of the notice, and when it was given and runs out by the clock below.
    notice: str = ""
    since: float = 0.0
    until: float = 0.0
    ahead: int = 0


class Audience:
    """The open tabs by customer."""

    #: Most answers on their way that are remembered; far more than a host can make at once.
    MOST_LIVE = 2048

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._listeners: dict[Customer, list[Listener]] = {}
        self._live: OrderedDict[Customer, Live] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(listeners) for listeners in self._listeners.values())

    def join(self, listener: Listener) -> None:
        self._listeners.setdefault(listener.customer, []).append(listener)

    def leave(self, listener: Listener) -> None:
        rest = [other for other in self._listeners.get(listener.customer, ()) if other is not listener]
        if rest:
            self._listeners[listener.customer] = rest
        else:
            self._listeners.pop(listener.customer, None)

    def of(self, customer: Customer) -> tuple[Listener, ...]:
        return tuple(self._listeners.get(customer, ()))

    def all(self) -> tuple[Listener, ...]:
        return tuple(listener for listeners in self._listeners.values() for listener in listeners)

    def show(self, customer: Customer, frame: frames.Sent) -> None:
        for listener in self.of(customer):
            listener.show(frame)

    # ------------------------------------------------------------------------------ the answer on its way

    def thinking(self, customer: Customer) -> None:
        """An answer is begun, or still on its way. Whatever is shown of one comes after this."""
        live = self._live.get(customer) or Live(began=self._clock())
        self._keep(customer, live)
        self.show(customer, self._thinking(live))

    def preview(self, customer: Customer, text: str) -> None:
        if (begun := self._live.get(customer)) is None:
            return  # a late word of an answer that is over already
        self._keep(customer, replace(begun, preview=text, notice=""))
        self.show(customer, frames.preview(text))

    def notice(self, customer: Customer, text: str, *, seconds: float, ahead: int) -> None:
        if (begun := self._live.get(customer)) is None:
            return
        now = self._clock()
        live = replace(begun, notice=text, since=now, until=now + max(seconds, 0.0), ahead=ahead)
        self._keep(customer, live)
        self.show(customer, self._notice(live))

    def over(self, customer: Customer) -> None:
        """Nothing is on its way any more; what still comes of it is shown to nobody."""
        self._live.pop(customer, None)

    def live(self, customer: Customer) -> list[frames.Sent]:
        """The frames that bring a tab up to now."""
        live = self._live.get(customer)
        if live is None:
            return []
        found = [self._thinking(live)]
        if live.notice:
            found.append(self._notice(live))
        if live.preview:
            found.append(frames.preview(live.preview))
        return found

    def _keep(self, customer: Customer, live: Live) -> None:
        self._live[customer] = live
        self._live.move_to_end(customer)
        if len(self._live) > self.MOST_LIVE:
            self._live.popitem(last=False)

    def _thinking(self, live: Live) -> frames.Sent:
        return frames.thinking(self._clock() - live.began)

    def _notice(self, live: Live) -> frames.Sent:
        return frames.notice(
            live.notice, left=live.until - self._clock(), total=live.until - live.since, ahead=live.ahead
        )
