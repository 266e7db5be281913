"""The address of the one server. The standard library alone: the set-up looks at it before anything is installed."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterator

from bot.errors import ConfigError


@contextlib.contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """The server's socket, bound before anything else starts. Raises :class:`ConfigError` naming the key at fault."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(512)
    except OSError as exc:
        sock.close()
        raise ConfigError(_why(host, port, exc)) from exc
    with sock:
        yield sock


def _why(host: str, port: int, exc: OSError) -> str:
    if isinstance(exc, socket.gaierror) or exc.errno == errno.EADDRNOTAVAIL:
        return (
            f"web.host: {host} is not an address of this machine ({exc.strerror}). Set another host in [web]: "
            '"127.0.0.1" for this machine alone, "0.0.0.0" for its network'
        )
    if exc.errno == errno.EACCES:
        return f"web.port: {host}:{port} cannot be used ({exc.strerror}). Set another port in [web], 1024 or above"
    return (
        f"web.port: {host}:{port} cannot be used ({exc.strerror}); is the bot running already? "
        "Set another port in [web], or stop what listens there"
    )
