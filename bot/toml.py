"""``bot.toml`` as TOML: where its syntax slips, in the words of somebody who never heard of TOML.

The standard library alone: the set-up reads the file before anything is installed.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from bot.errors import ConfigError

#: What word processors and Chinese keyboards type where a straight quote is meant.
_QUOTES = "\u201c\u201d\u2018\u2019\u201e\u201a\u00ab\u00bb\u300c\u300d\u300e\u300f\uff02\uff07"
_PAIR = re.compile(r"""\s*(?P<key>[\w."'-]+)\s*=\s*(?P<value>.*?)\s*\Z""")
#: What stands between key and value instead of «=».
_JOINED = re.compile(r"\s*(?P<key>[A-Za-z_][\w.-]*)\s*[:\uff1a\uff1d]\s*(?P<value>.+?)\s*\Z")
_PLACE = re.compile(r"\s*\((?:at line (\d+), column \d+|at end of document)\)\Z")


def read(path: Path) -> tuple[str, dict[str, Any]]:
    """The file's text and what it says. Raises :class:`ConfigError` as «file:line: what is wrong»."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as exc:
        raise ConfigError(f"{path}: there is no such file; --config names another") from exc
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read ({exc.strerror})") from exc
    try:
        # Editors of Windows begin UTF-8 with a mark.
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise ConfigError(f"{path}:{line}: cannot be read as UTF-8 text; save the file in that encoding") from exc
    # Each kind of line end counts as one, for tomllib and for people.
    text = text.replace("\r\n", "\n")
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{path}:{_slip(text, str(exc))}") from exc


def _slip(text: str, said: str) -> str:
    """«line: what is wrong», by what tomllib said."""
    place = _PLACE.search(said)
    reason = said[: place.start()] if place else said
    lines = text.splitlines() or [""]
    number = int(place[1]) if place and place[1] else _unclosed(lines)
    line = lines[number - 1].strip()
    if "Cannot overwrite" in reason or "Cannot declare" in reason:
        return f"{number}: {line.partition('=')[0].strip()} is here a second time; remove one of the two"
    if pair := _PAIR.match(line):
        return f"{number}: {_value(pair['key'], pair['value'], reason)}"
    if joined := _JOINED.match(line):
        return f"{number}: a key and its value are joined by «=»: {joined['key']} = {joined['value']}"
    return f"{number}: not valid TOML: {reason[:1].lower()}{reason[1:]}: {line}"


def _unclosed(lines: list[str]) -> int:
    """The last line that is not whole by itself: what was never closed began there."""
    begun = [number for number, line in enumerate(lines, 1) if _PAIR.match(line) and not _whole(line)]
    return begun[-1] if begun else len(lines)


def _whole(line: str) -> bool:
    try:
        tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _value(key: str, value: str, reason: str) -> str:
    bare = value if value[:1] in {'"', "'"} else value.partition("#")[0].strip()
    if not bare:
        return f'{key} has no value; an empty text is {key} = ""'
    if bare.lower() in {"true", "false"}:
        return f"true and false are written in small letters: {key} = {bare.lower()}"
    words = bare.strip(_QUOTES + "\"' ")
    if any(quote in bare for quote in _QUOTES) or _is_words(bare):
        return f'text needs straight double quotes: {key} = "{words}"'
    if bare[0] in {'"', "'"} and not bare.startswith(bare[0] * 3) and bare.count(bare[0]) == 1:
        return f'the closing quote is missing: {key} = "{words}"'
    return f"not valid TOML: {reason[:1].lower()}{reason[1:]}: {key} = {value}"


def _is_words(bare: str) -> bool:
    """Whether it was meant as text: it opens neither a text, a list nor a table, and no number; 127.0.0.1 is none."""
    return not re.match(r"[\"'\[{]|[+-]?[0-9]", bare) or bare.count(".") > 1
