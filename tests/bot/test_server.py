"""The one HTTP server: health, readiness, what is mounted where, and a port that is taken."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from bot import address, server
from bot.errors import ConfigError


def page(text: str) -> Starlette:
    async def said(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"{text} {request.url.path}")

    return Starlette(routes=[Route("/{path:path}", said)])


async def got(app: Starlette, path: str) -> httpx.Response:
    with address.bound("127.0.0.1", 0) as sock:
        async with server.serving(app, sock), httpx.AsyncClient(trust_env=False) as client:
            return await client.get(f"http://127.0.0.1:{sock.getsockname()[1]}{path}")


async def test_it_is_alive_also_while_it_is_not_ready() -> None:
    app = server.build([], lambda: {"model": "is being loaded"})
    assert (await got(app, "/healthz")).json() == {"alive": True}


async def test_it_is_ready_only_when_every_part_is_and_says_why_not() -> None:
    why: dict[str, str] = {"model": "is being loaded"}
    app = server.build([], lambda: why)
    answer = await got(app, "/readyz")
    assert (answer.status_code, answer.json()) == (503, {"ready": False, "why": {"model": "is being loaded"}})
    why.clear()
    answer = await got(app, "/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "why": {}})


@pytest.mark.parametrize(
    ("path", "text"),
    [("/", "page"), ("/x", "page"), ("/telegram/1", "telegram"), ("/telegram/deep/2", "deep")],
)
async def test_the_longest_path_wins_whatever_the_order(path: str, text: str) -> None:
    mounts: list[tuple[str, Any]] = [
        ("/", page("page")),
        ("/telegram", page("telegram")),
        ("/telegram/deep/", page("deep")),
    ]
    for order in (mounts, mounts[::-1]):
        assert (await got(server.build(order, dict), path)).text.split()[0] == text


async def test_nobody_but_us_answers_the_health_paths() -> None:
    app = server.build([("/", page("page"))], dict)
    assert (await got(app, "/healthz")).json() == {"alive": True}


def test_a_port_that_is_taken_is_said_with_the_way_out() -> None:
    with address.bound("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"web.port: 127.0.0.1:{port} cannot be used .*Set another port"):
            address.bound("127.0.0.1", port).__enter__()


def test_the_port_is_free_again_afterwards() -> None:
    with address.bound("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
    with address.bound("127.0.0.1", port):
        pass


def test_an_address_of_the_new_kind_can_be_bound() -> None:
    try:
        with address.bound("::1", 0) as sock:
            assert sock.getsockname()[0] == "::1"
    except ConfigError:
        pytest.skip("this machine has no IPv6")


async def test_a_request_under_way_is_finished_when_the_server_ends() -> None:
    began, go = asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> PlainTextResponse:
        began.set()
        await go.wait()
        return PlainTextResponse("whole")

    app = Starlette(routes=[Route("/", slow)])
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        with address.bound("127.0.0.1", 0) as sock:
            async with server.serving(app, sock):
                asked = asyncio.create_task(client.get(f"http://127.0.0.1:{sock.getsockname()[1]}/"))
                await began.wait()
                go.set()
        assert (await asked).text == "whole"
