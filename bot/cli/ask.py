"""``ask``: one customer message through the whole house."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.cli import app
from bot.cli.common import document, load
from bot.config import Config
from bot.errors import BotError, PhotoFault

#: Asks as a customer: his name, his words, his photos.
Ask = Callable[[str, str, list[Path]], Awaitable[dict[str, Any]]]
#: The same with the photos' bytes.
AskBytes = Callable[[str, str, list[bytes]], Awaitable[dict[str, Any]]]

#: What is wrong with a photo's file, and the way out; the detail has the figures.
_FAULTS: dict[PhotoFault, str] = {
    "broken": "the file is incomplete; take or save the picture again",
    "format": "not a JPEG, PNG, WebP, GIF or HEIC; save the picture as one of these",
    "too_big": "too large ({detail}); save it smaller, or take a screenshot",
    "too_many_pixels": "too many pixels ({detail}); scale it down, or take a screenshot",
    "too_small": "too small to show anything ({detail}); take the picture again from nearer",
}
_NOTHING_SAID = "say something, or give a photo"

#: Seconds that an answer may take before the running bot is given up.
_LONGEST = 600.0


@app.command(epilog='Example: python -m bot ask --photo cup.jpg "有破损吗？"')
def ask(
    context: typer.Context,
    text: Annotated[str, typer.Argument(help="What the customer says; may be empty when there is a photo.")] = "",
    photo: Annotated[list[Path] | None, typer.Option(help="A photo; give it several times for several.")] = None,
    customer: Annotated[str, typer.Option(help="Who asks: his history is kept under this name.")] = "me",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    jsonl: Annotated[
        bool,
        typer.Option("--jsonl", help='Questions from stdin, {"customer", "text", "photos": [path, …]} a line each.'),
    ] = False,
) -> None:
    """Asks as a customer would. Speaks to the running bot where there is one, else loads the model for this one."""
    config, root = load(context)
    if jsonl:
        if text or photo:
            raise typer.BadParameter("--jsonl reads its questions from stdin; give no text and no --photo beside it")
        raise typer.Exit(1 if asyncio.run(_each(config, root)) else 0)
    if not text.strip() and not photo:
        raise typer.BadParameter(_NOTHING_SAID)
    answer = asyncio.run(_one(config, root, customer, text, photo or []))
    if as_json:
        document(answer)
    else:
        _show(answer)


async def _one(config: Config, root: Path, customer: str, text: str, photos: list[Path]) -> dict[str, Any]:
    async with _asking(config, root) as ask_:
        return await ask_(customer, text, photos)


async def _each(config: Config, root: Path) -> int:
    """Answers line after line. Returns how many could not be answered; each of these has said so in its line."""
    number = failed = 0
    async with _asking(config, root) as ask_:
        while line := await asyncio.to_thread(sys.stdin.buffer.readline):
            number += 1
            if not line.strip():
                continue
            try:
                answer = await ask_(*question(number, line, sys.stdin.encoding))
            except BotError as exc:
                answer = {"error": str(exc)}
            failed += "error" in answer
            document(answer)
            sys.stdout.flush()
    return failed


def question(number: int, line: bytes, encoding: str) -> tuple[str, str, list[Path]]:
    """Who asks, his words and his photos, of one line. Raises :class:`BotError`, which names the line."""
    try:
        raw = json.loads(line.decode(encoding))
        customer, text = raw.get("customer", "me"), raw.get("text", "")
        if not (isinstance(customer, str) and isinstance(text, str)):
            raise TypeError("customer and text are texts")
        photos = [Path(path) for path in raw.get("photos", [])]
    except UnicodeDecodeError as exc:
        raise BotError(f"line {number} is not written in {encoding}: save the questions in this encoding") from exc
    except (ValueError, AttributeError, TypeError) as exc:
        raise BotError(f'line {number} is not {{"customer","text","photos"}}: {exc}') from exc
    if not text.strip() and not photos:
        raise BotError(f"line {number}: {_NOTHING_SAID}")
    return customer, text, photos


@asynccontextmanager
async def _asking(config: Config, root: Path) -> AsyncIterator[Ask]:
    """How to ask: by the running bot's door, or with a house of our own."""
    from bot.place import Place, door_of

    if (door := door_of(Place.of(config, root))) is not None:
        yield _from_files(_by_door(door))
        return
    from adapters.ask import Question
    from bot.app import asking

    async with asking(config, Place.of(config, root)) as adapter:

        async def own(customer: str, text: str, photos: list[bytes]) -> dict[str, Any]:
            return await adapter.ask(Question(customer=customer, text=text, photos=tuple(photos)))

        yield _from_files(own)


def _from_files(ask_: AskBytes) -> Ask:
    """Reads the photos, and says of one that cannot be used which it is and what to do."""
    from adapters.ask import Unusable

    async def from_files(customer: str, text: str, photos: list[Path]) -> dict[str, Any]:
        try:
            return await ask_(customer, text, [_read(path) for path in photos])
        except Unusable as exc:
            raise BotError(f"{photos[exc.place]}: {_FAULTS[exc.reason].format(detail=exc)}") from exc

    return from_files


def _by_door(door: Any) -> AskBytes:
    async def by_door(customer: str, text: str, photos: list[bytes]) -> dict[str, Any]:
        import httpx

        from adapters.ask import Unusable

        body = {"customer": customer, "text": text, "photos": [base64.b64encode(p).decode() for p in photos]}
        try:
            async with httpx.AsyncClient(timeout=_LONGEST, trust_env=False) as client:
                response = await client.post(
                    f"http://127.0.0.1:{door['port']}/ask/",
                    json=body,
                    headers={"Authorization": f"Bearer {door['token']}"},
                )
        except httpx.HTTPError as exc:
            raise BotError(f"the running bot did not answer ({type(exc).__name__}); its log says why") from exc
        try:
            answer: dict[str, Any] = response.json()
        except ValueError as exc:
            raise BotError(f"the running bot answered with status {response.status_code}; its log says why") from exc
        if "photo" in answer:
            raise Unusable(answer["reason"], str(answer["error"]), place=int(answer["photo"]))
        if response.is_error:
            raise BotError(str(answer.get("error", response.status_code)))
        return answer

    return by_door


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise BotError(f"{path}: cannot be read ({exc.strerror})") from exc


def _show(answer: dict[str, Any]) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    if answer.get("notice"):
        console.print(answer["notice"], style="dim", markup=False)
    console.print(answer["reply"] or f"({_silence(answer)})", markup=False)
    if answer.get("model"):
        timings, tokens = answer["timings"], answer["tokens"]
        figures = [
            f"first word {timings['first_token_s']:.2f} s",
            f"whole {timings['total_s']:.2f} s",
            f"photo {timings['image_s'] * 1000:.0f} ms",
            f"reused {tokens['reused']} of {tokens['prompt']} tokens",
            answer["model"],
        ]
        console.print(" · ".join(figures), style="dim", markup=False)


def _silence(answer: dict[str, Any]) -> str:
    """Why there is no reply."""
    if answer["mode"] == "off":
        return 'the bot is switched off: [dialogue] mode = "off" in bot.toml; the message is kept'
    if answer["holder"] == "bot":
        return "there was nothing to answer"
    return "a person speaks with this customer: the bot is silent"
