"""The one HTTP server: the page, the webhooks, and how the house is doing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from bot.errors import ConfigError

log = logging.getLogger(__name__)

#: Seconds that open connections get at the end.
_GRACE = 3


class _Uvicorn(uvicorn.Server):
    """Leaves the signals to the application, which stops its parts in order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def build(mounts: Sequence[tuple[str, Any]], not_ready: Callable[[], dict[str, str]]) -> Starlette:
    """The app: what adapters mount, ``/healthz`` and ``/readyz``. ``not_ready`` says which part is not, and why."""

    async def healthz(_: Request) -> JSONResponse:
        return JSONResponse({"alive": True})

    async def readyz(_: Request) -> JSONResponse:
        why = not_ready()
        return JSONResponse({"ready": not why, "why": why}, status_code=503 if why else 200)

    routes: list[Any] = [Route("/healthz", healthz), Route("/readyz", readyz)]
    # The longest path first: what is mounted at «/» takes all that is left.
    routes += [Mount(path.rstrip("/"), app) for path, app in sorted(mounts, key=lambda m: -len(m[0]))]
    return Starlette(routes=routes)


@contextlib.asynccontextmanager
async def serving(app: Starlette, host: str, port: int) -> AsyncIterator[int]:
    """Serves while the block runs; gives the port that was bound. Raises :class:`ConfigError` when it is taken."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="websockets-sansio",
        ws_max_size=1 << 20,
        timeout_graceful_shutdown=_GRACE,
        lifespan="off",
    )
    try:
        sock = _bind(host, port)
    except OSError as exc:
        raise ConfigError(
            f"web.port: {host}:{port} cannot be used ({exc.strerror}); is the bot running already? "
            "Set another port in [web], or stop what listens there"
        ) from exc
    server = _Uvicorn(config)
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        yield int(sock.getsockname()[1])
    finally:
        server.should_exit = True
        await task
        sock.close()


def _bind(host: str, port: int) -> Any:
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.listen(512)
    sock.setblocking(False)
    return sock
