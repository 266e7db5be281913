"""Routes what llama.cpp, ggml and mtmd would print on stderr into :mod:`logging`."""

from __future__ import annotations

import ctypes
import logging
from collections import deque

import llama_cpp
from llama_cpp import mtmd_cpp

log = logging.getLogger("inference.llama")

_ERROR = 3
#: The last complaints, newest last: the only place where the C side says why something failed.
_complaints: deque[str] = deque(maxlen=8)


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
def _receive(level: int, text: bytes, _data: ctypes.c_void_p) -> None:
    line = text.decode("utf-8", "replace").rstrip()
    if level == _ERROR and line:
        _complaints.append(line)
    if line:
        log.debug("%s", line)


def route() -> None:
    """Takes the logs over; the callback lives as long as this module."""
    llama_cpp.llama_log_set(_receive, None)
    mtmd_cpp.mtmd_log_set(_receive, None)
    mtmd_cpp.mtmd_helper_log_set(_receive, None)


def complaint() -> str:
    """The last thing that the C side called an error, then forgotten; empty when there was none."""
    last = _complaints[-1] if _complaints else ""
    _complaints.clear()
    return last.split(": ", 1)[-1]
