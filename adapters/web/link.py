"""One open tab: its WebSocket, what waits to be written to it, and what it asks for."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from pathlib import Path
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from bot.errors import BotError
from bot.model import Customer

from . import frames
from .desk import Desk
from .pace import Bucket

log = logging.getLogger(__name__)

#: Close codes (RFC 6455): the page comes back after all of them but POLICY.
POLICY, BROKEN, RESTART, LATER = 1008, 1011, 1012, 1013

#: Frames that may wait for a slow reader. A snapshot brings him up to date when he comes back.
_WAITING = 64
#: Seconds for one frame to leave; a phone in a tunnel is let go and comes back.
_WRITE = 20.0


class Link:
    """The connection of one tab, after it said who it is."""

    def __init__(self, socket: WebSocket, desk: Desk, customer: Customer, pace: Bucket) -> None:
        self.customer = customer
        self.newest = 0
        self._socket = socket
        self._desk = desk
        self._pace = pace
        self._frames: asyncio.Queue[frames.Sent] = asyncio.Queue(_WAITING)
        self._end: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

    def show(self, frame: frames.Sent) -> None:
        try:
            self._frames.put_nowait(frame)
        except asyncio.QueueFull:
            self.end(LATER, "slow")

    def end(self, code: int, reason: str) -> None:
        if not self._end.done():
            self._end.set_result((code, reason))

    async def run(self) -> None:
        """Serves the tab until it goes, falls behind, misbehaves, or :meth:`end` is called."""
        tasks: list[asyncio.Future[Any]] = [asyncio.create_task(self._write()), asyncio.create_task(self._read())]
        try:
            await asyncio.wait([*tasks, self._end], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for defect in outcomes:
            if isinstance(defect, Exception):
                # A defect of ours: the owner is told where, never what was said; the page comes back by itself.
                log.error("the line of customer %s ended by a defect, %s", self.customer.id, _where(defect))
                self.end(BROKEN, "broken")
        if self._end.done():
            await close(self._socket, *self._end.result())

    async def _write(self) -> None:
        while True:
            frame = await self._frames.get()
            try:
                async with asyncio.timeout(_WRITE):
                    await write(self._socket, frame)
            except (TimeoutError, WebSocketDisconnect):
                self.end(LATER, "slow")
                return

    async def _read(self) -> None:
        try:
            while True:
                frame = await read(self._socket)
                if self._pace.take():
                    self.end(POLICY, "too fast")
                    return
                await self._do(frame)
        except WebSocketDisconnect:
            self.end(RESTART, "gone")
        except frames.FrameError as exc:
            self.end(POLICY, str(exc))
        except BotError as exc:
            # The page keeps what was not acknowledged and sends it again when it is back.
            log.error("the page of customer %s could not be served: %s", self.customer.id, exc)
            self.end(BROKEN, "broken")

    async def _do(self, frame: object) -> None:
        match frame:
            case frames.Say():
                self.show(await self._desk.say(self.customer, frame))
            case frames.Choose():
                self.show(await self._desk.choose(self.customer, frame))
            case frames.Typing():
                self._desk.typing(self.customer, frame)
            case frames.Stop():
                await self._desk.stop(self.customer)
            case frames.New():
                await self._desk.new(self.customer, frame.language)
            case frames.Ping():
                self.show(frames.pong())
            case _:
                raise frames.FrameError("hello twice")


async def read(socket: WebSocket) -> object:
    """The next frame. Raises :class:`~adapters.web.frames.FrameError` and ``WebSocketDisconnect``."""
    message = await socket.receive()
    if message["type"] != "websocket.receive":
        raise WebSocketDisconnect(message.get("code", 1005))
    text = message.get("text")
    if text is None:
        raise frames.FrameError("not text")
    return frames.read(text)


async def write(socket: WebSocket, frame: frames.Sent) -> None:
    """Raises ``WebSocketDisconnect`` when nobody is there any more."""
    text = json.dumps(frame, ensure_ascii=False, separators=(",", ":"))
    try:
        await socket.send_text(text)
    except RuntimeError as exc:
        # The server hung up in this very moment: on its way out, or because nobody answered its pings.
        raise WebSocketDisconnect(1006) from exc


async def close(socket: WebSocket, code: int, reason: str) -> None:
    """Says goodbye when the other side still listens."""
    try:
        await socket.close(code, reason)
    except (RuntimeError, WebSocketDisconnect):
        return  # it is gone already, or hung up in this very moment


def _where(defect: Exception) -> str:
    """Its kind and the lines that it came through. Its own words may be the customer's, so they are left out."""
    trail = traceback.extract_tb(defect.__traceback__)
    lines = " < ".join(f"{Path(line.filename).name}:{line.lineno} {line.name}" for line in reversed(trail))
    return f"{type(defect).__name__} at {lines}"
