"""The model's own thread: everything of llama.cpp and mtmd is called on it, one call after the other.

What others want done comes by a queue and is done between two steps; what comes of it leaves through each job's
``post``.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future

from bot.errors import EngineError
from inference.llama.runner import Runner
from inference.llama.settings import Settings


class Worker:
    def __init__(self, settings: Settings, read_photo: Callable[[str], bytes]) -> None:
        self._settings, self._read_photo = settings, read_photo
        self._commands: queue.SimpleQueue[Callable[[Runner], None]] = queue.SimpleQueue()
        self._runner: Runner | None = None
        self._stopping = False
        #: The runner when the model is loaded, or why it is not.
        self.ready: Future[Runner] = Future()
        #: Done when everything is freed.
        self.stopped: Future[None] = Future()
        for future in (self.ready, self.stopped):
            # Whoever gives up waiting must not cancel them for the others.
            future.set_running_or_notify_cancel()

    def start(self) -> None:
        # Not waited for at exit: a photo that is being encoded cannot be interrupted.
        threading.Thread(target=self._main, name="model", daemon=True).start()

    def do(self, command: Callable[[Runner], None]) -> None:
        """Has something done between two steps. Raises :class:`EngineError` when the thread is gone, or going."""
        if self._stopping or self.stopped.done():
            raise EngineError("the engine was stopped")
        self._commands.put(command)

    def stop(self) -> None:
        """Ends as soon as can be: a decode is given up, a photo's encoding is not."""
        self._stopping = True
        if self._runner is not None:
            self._runner.context.abort()
        self._commands.put(lambda runner: None)

    def _main(self) -> None:
        try:
            runner = self._runner = Runner(self._settings, self._read_photo)
        except BaseException as exc:
            # Whatever it is: the one who waits for the model must hear it.
            self.ready.set_exception(exc)
            self.stopped.set_result(None)
            return
        self.ready.set_result(runner)
        try:
            while not self._stopping:
                self._turn(runner)
        finally:
            while not self._commands.empty():
                self._commands.get()(runner)
            runner.close()
            self.stopped.set_result(None)

    def _turn(self, runner: Runner) -> None:
        """Does what was asked meanwhile, then one step; sleeps when there is none."""
        while not self._commands.empty():
            self._commands.get()(runner)
        if not self._stopping and not runner.step():
            self._commands.get()(runner)
