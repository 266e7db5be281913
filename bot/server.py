"""The one HTTP server: the page, the webhooks, and how the house is doing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

#: Seconds that open connections get at the end.
_GRACE = 2


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
async def serving(app: Starlette, sock: socket.socket) -> AsyncIterator[None]:
    """Serves while the block runs. Open connections get a few seconds at the end."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="websockets-sansio",
        ws_max_size=1 << 16,
        timeout_graceful_shutdown=_GRACE,
        lifespan="off",
    )
    server = _Uvicorn(config)
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        yield
    finally:
        server.should_exit = True
        await task
