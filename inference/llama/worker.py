"""The model's own thread: everything of llama.cpp and mtmd is called on it, one call after the other.

What others want done comes by a queue and is done between two steps; what comes of it leaves through each job's
``post``.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future

from bot.errors import EngineError
from inference.llama.runner import Runner
from inference.llama.settings import Settings

log = logging.getLogger(__name__)

#: What is to be done, and who hears that it failed.
Command = tuple[Callable[[Runner], None], Callable[[EngineError], None]]

_STOPPED = "the engine was stopped"
_DEFECT = "stopped by a defect; the log has more, and a start loads it again"


def _nothing(_: object) -> None: ...


class Worker:
    def __init__(self, settings: Settings, read_photo: Callable[[str], bytes]) -> None:
        self._settings, self._read_photo = settings, read_photo
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._runner: Runner | None = None
        #: Held by who adds a command and by who ends the thread: none is left behind unheard.
        self._door = threading.Lock()
        self._stopping = False
        #: Why nothing is answered, for the owner; ``None`` while all is well.
        self.trouble: str | None = "is not loaded"
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

    @property
    def ended(self) -> bool:
        """Whether the thread is gone, or going: then nothing is kept any more."""
        return self._stopping

    def do(self, command: Callable[[Runner], None], failed: Callable[[EngineError], None] = _nothing) -> None:
        """Has something done between two steps; ``failed`` is told, on the model's thread, when it could not be.

        Raises :class:`EngineError` when the thread is gone, or going.
        """
        with self._door:
            if self._stopping:
                raise EngineError(_STOPPED)
            self._commands.put((command, failed))

    def stop(self) -> None:
        """Ends as soon as can be: a decode is given up, a photo's encoding is not."""
        with self._door:
            self._stopping = True
        self.trouble = self.trouble or "stopped"
        if self._runner is not None:
            self._runner.context.abort()
        self._commands.put((_nothing, _nothing))

    def _main(self) -> None:
        try:
            runner = self._runner = Runner(self._settings, self._read_photo)
        except BaseException as exc:
            # Whatever it is: the one who waits for the model must hear it.
            with self._door:
                self._stopping = True
            while not self._commands.empty():
                self._commands.get()[1](EngineError(_STOPPED))
            self.ready.set_exception(exc)
            self.stopped.set_result(None)
            return
        self.trouble = None
        self.ready.set_result(runner)
        why = _STOPPED
        try:
            while not self._stopping:
                self._turn(runner)
        except Exception:
            # A mistake of ours in what is common to all requests: the next step would only meet it again.
            log.exception("the model's thread ended")
            why = f"the engine {_DEFECT}"
            self.trouble = _DEFECT
        finally:
            with self._door:
                self._stopping = True
            while not self._commands.empty():
                self._obey(runner)
            try:
                runner.close(why)
            finally:
                self.stopped.set_result(None)

    def _turn(self, runner: Runner) -> None:
        """Does what was asked meanwhile, then one step; sleeps when there is none."""
        while not self._commands.empty():
            self._obey(runner)
        if not self._stopping and not runner.step():
            self._obey(runner)

    def _obey(self, runner: Runner) -> None:
        """Does the next thing asked for, or waits for it."""
        command, failed = self._commands.get()
        try:
            command(runner)
        except Exception:
            # A mistake of ours: it costs the one who asked, not the thread on which all others depend.
            log.exception("the model's thread could not do what was asked")
            failed(EngineError("the model failed on this request; the log has more"))
