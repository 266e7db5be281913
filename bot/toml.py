"""``bot.toml`` as TOML: where its syntax, a key or the kind of a value slips, in the words of somebody who never heard
of TOML.

The standard library alone: the set-up reads the file before anything is installed. What a value may be beyond its kind
is judged by :mod:`bot.config`, whose sections these keys are; a test holds the two together.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from bot.errors import ConfigError

#: ``("web", "port")``
Key = tuple[str, ...]
#: What a value is: «switch» is true or false, «whole» a number without fraction, «auto» that or "auto".
Kind = Literal["text", "switch", "whole", "number", "texts", "auto"]
Keys = Mapping[str, "Kind | Keys"]

#: Stands for a name that the owner chooses.
ANY = "*"
_SHOP: Keys = {
    "name": "text",
    "contact": "text",
    "language": "text",
    "knowledge": "text",
    "persona": "text",
    "ai_label": "text",
}
#: Every key that there is, by section.
KEYS: Keys = {
    "shop": _SHOP,
    "shops": {ANY: _SHOP},
    "storage": {"url": "text", "photos": "text"},
    "inference": {
        "backend": "text",
        "model": "text",
        "mmproj": "text",
        "n_ctx": "whole",
        "max_tokens": "whole",
        "gpu_layers": "auto",
        "threads": "auto",
        "parallel": "auto",
    },
    "photos": {"max_bytes": "whole", "short_side": "whole", "visual_tokens": "auto", "max_upload_bytes": "whole"},
    "dialogue": {"mode": "text", "merge_seconds": "number", "history_turns": "whole"},
    "slow": {"notice_after_seconds": "number", "text": "text"},
    "web": {"host": "text", "port": "whole", "origins": "texts", "demonstration": "switch"},
    "adapters": {
        "web": {"enabled": "switch"},
        "telegram": {
            "enabled": "switch",
            "token_env": "text",
            "mode": "text",
            "base_url": "text",
            "base_file_url": "text",
            "shop": "text",
        },
    },
    "log": {"level": "text", "format": "text"},
}
_NEEDED: Mapping[Kind, str] = {
    "text": "a text is needed",
    "switch": "true or false is needed",
    "whole": "a whole number is needed",
    "number": "a number is needed",
    "texts": "a list of texts is needed",
    "auto": '"auto" or a whole number is needed',
}

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


# ------------------------------------------------------------------------------------------------ keys


def faults(settings: Mapping[str, Any], at: Key = ()) -> dict[Key, str]:
    """What is wrong with each key that is unknown, or whose value is not even of its kind."""
    out: dict[Key, str] = {}
    for name, value in settings.items():
        key = (*at, name)
        kind = _kind(key)
        if kind is None:
            near = _nearest(key)
            out[key] = "no such key" + (f"; did you mean {near}?" if near else "")
        elif isinstance(kind, str):
            if not _fits(kind, value):
                out[key] = _misfit(kind, name, value)
        elif isinstance(value, dict):
            out |= faults(value, key)
        else:
            out[key] = f"a section, not a value: write [{'.'.join(key)}], and its keys below that{shown(value)}"
    return out


def told(path: Path, text: str, wrong: Mapping[Key, str]) -> str:
    """«file:line: key: what is wrong», a line each, in the file's order."""
    placed = sorted(((line_of(text, key) or 1, ".".join(key), what) for key, what in wrong.items()), key=lambda p: p[0])
    return "\n".join(f"{path}:{number}: {key}: {what}" for number, key, what in placed)


def named(loc: Sequence[str | int]) -> Key:
    """The key in a place of the settings; what lies inside its value, or inside a section that is none, is left out."""
    for length in range(1, len(loc) + 1):
        key = tuple(map(str, loc[:length]))
        if not isinstance(_kind(key), Mapping):
            return key
    return tuple(map(str, loc))


def line_of(text: str, key: Key) -> int | None:
    """The line of a key or of its table; tomllib does not tell. Good enough for keys written one to a line."""
    best: int | None = None
    table: Key = ()
    for number, each in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\[?\s*([^\]]+?)\s*\]\]?", each):
            table = tuple(part.strip().strip("\"'") for part in header[1].split("."))
            if table == key[: len(table)]:
                best = number
        elif assigned := re.match(r"\s*([A-Za-z0-9_.\"'-]+)\s*=", each):
            here = (*table, *(part.strip("\"'") for part in assigned[1].split(".")))
            if here == key[: len(here)]:
                return number
    return best


def shown(value: object) -> str:
    """« (it is …)», where the value is short enough to be shown."""
    if isinstance(value, dict | list):
        return ""
    return f" (it is {str(value).lower() if isinstance(value, bool) else repr(value)})"


def _kind(key: Key) -> Kind | Keys | None:
    """What stands under a key; ``None`` when there is no such key."""
    found: Kind | Keys | None = KEYS
    for part in key:
        found = None if found is None or isinstance(found, str) else found.get(part, found.get(ANY))
    return found


def _nearest(key: Key) -> str | None:
    """The known key that looks most like an unknown one: among its siblings first, then anywhere."""
    *parent, name = key
    siblings = _kind(tuple(parent))
    if isinstance(siblings, Mapping) and (close := difflib.get_close_matches(name, siblings, n=1)):
        return ".".join((*parent, close[0]))
    everywhere = {each[-1]: ".".join(each) for each in _all(KEYS)}
    close = difflib.get_close_matches(name, everywhere, n=1, cutoff=0.75)
    return everywhere[close[0]] if close else None


def _all(keys: Keys, at: Key = ()) -> Iterator[Key]:
    """Sections and keys that have names of ours."""
    for name, kind in keys.items():
        if name != ANY:
            yield (*at, name)
            if isinstance(kind, Mapping):
                yield from _all(kind, (*at, name))


def _fits(kind: Kind, value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    whole = number and isinstance(value, int)
    if kind == "texts":
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    if kind == "auto":
        # A number in quotes is the slip; another word is judged with the words that there are.
        return whole or (isinstance(value, str) and not _fits("whole", _unquoted(value)))
    return {"text": isinstance(value, str), "switch": isinstance(value, bool), "whole": whole, "number": number}[kind]


def _misfit(kind: Kind, name: str, value: object) -> str:
    """What is needed, with the line as it should be where that is clear."""
    needed = _NEEDED[kind]
    if isinstance(value, str):
        if _fits(kind, bare := _unquoted(value)):
            return f"{needed}, without quotes: {name} = {str(bare).lower()}"
        if kind == "texts":
            return f'{needed}, in square brackets: {name} = ["{value}"]'
    elif kind == "text" and not isinstance(value, dict | list):
        return f'{needed}, in straight double quotes: {name} = "{str(value).lower()}"'
    return f"{needed}{shown(value)}"


def _unquoted(value: str) -> object:
    """What a text would be without its quotes; ``None`` when that is nothing."""
    try:
        return tomllib.loads(f"value = {value.strip().lower()}")["value"]
    except tomllib.TOMLDecodeError:
        return None
