"""What an answer may look like, byte by byte: a small grammar made from a JSON Schema.

Two questions make it worth having our own. *Which bytes must come now?* What the schema forces is appended in one step
instead of being sampled («jump-forward»: on a processor the frame of an answer then costs two tokens instead of
fifteen). *May this token come?* Only the token that was sampled is asked about; the whole vocabulary is looked through
only after a no (llama.cpp's own sampler, put first in the chain, looks at all 151,936 tokens each time: 36 ms).

A state is a set of threads, a thread a linked list of what is still to come. Compact JSON, no spaces; properties in the
schema's order, all required. Understood: ``object``, ``array`` (``items``, ``maxItems``), ``string`` (``maxLength``),
``null``, ``enum`` (all strings, or none), ``anyOf``. Strings are valid UTF-8 and know the escapes ``\\"``, ``\\\\`` and
``\\n`` only, so that parsing and dumping an answer gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Union

_QUOTE, _BACKSLASH = 0x22, 0x5C
#: Lead byte → the ranges of the bytes that must follow (RFC 3629: no overlong form, no surrogate).
_CONT = (0x80, 0xBF)


def _followers(lead: int) -> tuple[tuple[int, int], ...] | None:
    if 0xC2 <= lead <= 0xDF:
        return (_CONT,)
    if 0xE0 <= lead <= 0xEF:
        second = (0xA0, 0xBF) if lead == 0xE0 else (0x80, 0x9F) if lead == 0xED else _CONT
        return (second, _CONT)
    if 0xF0 <= lead <= 0xF4:
        second = (0x90, 0xBF) if lead == 0xF0 else (0x80, 0x8F) if lead == 0xF4 else _CONT
        return (second, _CONT, _CONT)
    return None


@dataclass(frozen=True, slots=True)
class _Text:
    """The inside of a string: so many characters may still come, or (``pending``) the rest of one must."""

    left: int
    pending: tuple[tuple[int, int], ...] = ()
    escape: bool = False

    def step(self, byte: int) -> _Text | None:
        if self.escape:
            return _Text(self.left - 1) if byte in b'"\\n' else None
        if self.pending:
            low, high = self.pending[0]
            if not low <= byte <= high:
                return None
            rest = self.pending[1:]
            return _Text(self.left if rest else self.left - 1, rest)
        if self.left <= 0 or byte < 0x20 or byte == _QUOTE:
            return None
        if byte == _BACKSLASH:
            return _Text(self.left, escape=True)
        if byte < 0x80:
            return _Text(self.left - 1)
        followers = _followers(byte)
        return None if followers is None else _Text(self.left, followers)

    @property
    def whole(self) -> bool:
        return not self.pending and not self.escape


@dataclass(frozen=True, slots=True)
class _Choice:
    options: tuple[tuple[_Node, ...], ...]


_Node = Union[bytes, _Text, _Choice]  # noqa: UP007 - a forward reference needs the old spelling
_Thread = Union[tuple[_Node, "_Thread"], None]  # noqa: UP007
State = frozenset[_Thread]


def _compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _compile(schema: dict[str, Any]) -> tuple[_Node, ...]:
    if "enum" in schema:
        if _quoted(schema):
            return (b'"', _Choice(tuple((_compact(v)[1:-1],) for v in schema["enum"])), b'"')
        return (_Choice(tuple((_compact(v),) for v in schema["enum"])),)
    if "anyOf" in schema:
        return (_Choice(tuple(_compile(option) for option in schema["anyOf"])),)
    kind = schema["type"]
    if kind == "null":
        return (b"null",)
    if kind == "string":
        return (b'"', _Text(schema.get("maxLength", 1 << 20)), b'"')
    if kind == "object":
        nodes: list[_Node] = []
        for at, (name, value) in enumerate(schema["properties"].items()):
            nodes += [(b"," if at else b"{") + _compact(name) + b":", *_compile(value)]
        return (*nodes, b"}")
    if kind == "array":
        item = _compile(schema["items"])
        more: tuple[_Node, ...] = (b"]",)
        for _ in range(schema["maxItems"] - 1):
            more = (_Choice(((b"]",), (b",", *item, *more))),)
        return (b"[", _Choice(((b"]",), (*item, *more))))
    raise ValueError(f"a schema of type {kind!r} is not understood")


def _quoted(schema: dict[str, Any]) -> bool:
    """Whether an enum's values are strings: their quotes are then forced. Raises :class:`ValueError` on a mixture."""
    kinds = {isinstance(v, str) for v in schema["enum"]}
    if len(kinds) != 1:
        raise ValueError("an enum of strings and other values, or of none, is not understood")
    return kinds.pop()


def _push(nodes: tuple[_Node, ...], rest: _Thread) -> _Thread:
    for node in reversed(nodes):
        rest = (node, rest)
    return rest


def _expand(thread: _Thread) -> Iterator[_Thread]:
    """Threads whose first node can take a byte: literals, text, or nothing more."""
    if thread is None:
        yield None
        return
    node, rest = thread
    if isinstance(node, _Choice):
        for option in node.options:
            yield from _expand(_push(option, rest))
    elif isinstance(node, _Text):
        if node.left > 0 or not node.whole:
            yield thread
        if node.whole:
            yield from _expand(rest)
    elif node:
        yield thread
    else:
        yield from _expand(rest)


def _rest(thread: _Thread) -> bytes:
    """The shortest text of a thread; of two equally long ones the first."""
    out = b""
    while thread is not None:
        node, thread = thread
        if isinstance(node, bytes):
            out += node
        elif isinstance(node, _Choice):
            out += min((_rest(_push(option, None)) for option in node.options), key=len)
        elif node.escape:
            out += b"n"
        else:
            out += bytes(low for low, _ in node.pending)
    return out


class Grammar:
    """The language of one schema. States are values: keep one, and go on from it as often as you like."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.start: State = frozenset(_expand(_push(_compile(schema), None)))

    def step(self, state: State, byte: int) -> State:
        """The state after one byte; empty when it may not come."""
        out: set[_Thread] = set()
        for thread in state:
            if thread is None:
                continue
            node, rest = thread
            if isinstance(node, bytes):
                if node[0] == byte:
                    out.update(_expand((node[1:], rest)))
            elif isinstance(node, _Text) and (after := node.step(byte)) is not None:
                out.update(_expand((after, rest)))
        return frozenset(out)

    def accept(self, state: State, data: bytes) -> State | None:
        """The state after these bytes, or ``None`` when they may not come."""
        for byte in data:
            state = self.step(state, byte)
            if not state:
                return None
        return state

    def forced(self, state: State) -> tuple[bytes, State]:
        """What must come now, whatever the model wants, and the state after it."""
        out = bytearray()
        while True:
            heads: set[int] = set()
            for thread in state:
                if thread is None or isinstance(thread[0], _Text):
                    return bytes(out), state
                if isinstance(thread[0], bytes):
                    heads.add(thread[0][0])
            if len(heads) != 1:
                return bytes(out), state
            byte = heads.pop()
            out.append(byte)
            state = self.step(state, byte)

    @staticmethod
    def closing(state: State) -> bytes:
        """The shortest text that makes the answer whole from here, in the middle of a character too."""
        return min((_rest(thread) for thread in state), key=len)

    @staticmethod
    def done(state: State) -> bool:
        """Whether the answer is whole."""
        return state == frozenset({None})


def segments(schema: dict[str, Any], value: Any) -> list[tuple[str, bool]]:
    """A whole answer cut as the engine writes it: (text, whether the grammar forced it), each tokenised by itself.

    Training and a conversation that is computed again use the same cuts, so that a model reads its own earlier answers
    exactly as it wrote them.
    """
    out: list[tuple[str, bool]] = []
    for text, forced in _cut(schema, value):
        if forced and out and out[-1][1]:
            out[-1] = (out[-1][0] + text, True)
        elif text:
            out.append((text, forced))
    return out


def _cut(schema: dict[str, Any], value: Any) -> Iterator[tuple[str, bool]]:
    if "anyOf" in schema:
        kinds: dict[str, type] = {"null": type(None), "object": dict, "array": list, "string": str}
        schema = next(option for option in schema["anyOf"] if isinstance(value, kinds[option["type"]]))
        if value is None:
            yield "null", False
            return
        first, *rest = _cut(schema, value)
        # The opening brace is what was chosen; the key behind it is forced.
        yield first[0][:1], False
        yield first[0][1:], True
        yield from rest
    elif "enum" in schema:
        text = _compact(value).decode()
        if _quoted(schema):
            yield '"', True
            yield text[1:-1], False
            yield '"', True
        else:
            yield text, False
    elif schema["type"] == "string":
        yield '"', True
        yield _compact(value).decode()[1:-1], False
        yield '"', False
    elif schema["type"] == "object":
        for at, (name, part) in enumerate(schema["properties"].items()):
            yield ("," if at else "{") + _compact(name).decode() + ":", True
            yield from _cut(part, value[name])
        yield "}", True
    elif schema["type"] == "array":
        yield "[", True
        for at, item in enumerate(value):
            if at:
                yield ",", False
                yield from _cut(schema["items"], item)
            else:
                first, *rest = _cut(schema["items"], item)
                yield first[0][:1], False
                yield first[0][1:], True
                yield from rest
        yield "]", len(value) >= schema["maxItems"]
    else:
        raise ValueError(f"a schema of type {schema['type']!r} is not understood")
