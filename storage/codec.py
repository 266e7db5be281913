"""The values of ``bot.model`` as JSON and back, by their type hints: one rule for every value, none per class.

A dataclass is an object of its fields, a tuple an array, money and times are strings. What was stored by an older
version reads on: a field that is missing takes its default, one that is gone is passed over.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from sqlalchemy.engine import Row

from bot.errors import StorageError

log = logging.getLogger(__name__)

T = TypeVar("T")
_Reader = Callable[[Any], Any]


def text(value: Any) -> str:
    """Plain JSON values as one line of UTF-8 text; half a surrogate pair becomes a question mark."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace").decode()


def dump(value: Any) -> Any:
    """A value as plain JSON values. Raises :class:`TypeError` for what has no place in a value."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str | Decimal):
        return str(value)
    if isinstance(value, tuple | list):
        return [dump(part) for part in value]
    if isinstance(value, dict):
        return {name: dump(part) for name, part in value.items()}
    if isinstance(value, datetime):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: dump(getattr(value, name)) for name in _fields(type(value))}
    raise TypeError(f"{type(value).__name__} has no JSON form")


def load(kind: type[T], data: Any) -> T:
    """The value of ``kind`` that :func:`dump` wrote. Raises :class:`~bot.errors.StorageError`."""
    with _Reading(kind):
        value: T = _reader(kind)(data)
        return value


def load_all(kind: type[T], data: Any) -> tuple[T, ...]:
    """The values of an array. Raises :class:`~bot.errors.StorageError`."""
    with _Reading(kind):
        read = _reader(kind)
        return tuple(read(part) for part in data)


def fields(kind: type[Any], data: dict[str, Any]) -> dict[str, Any]:
    """Some of a dataclass's fields, ready to be passed to it; the rest stands in columns of its own."""
    with _Reading(kind):
        readers = _fields(kind)
        return {name: readers[name](part) for name, part in data.items() if name in readers}


def readable(rows: Iterable[Row[Any]], read: Callable[[Row[Any]], T]) -> list[T]:
    """Rows with an ``id`` as values; one that cannot be read is passed over, and the log says which.

    What belongs to a customer, or waits for everybody, must not wait behind a damaged row for ever.
    """
    found = []
    for row in rows:
        try:
            found.append(read(row))
        except StorageError as exc:
            log.error("row %d is passed over: %s", row.id, exc)
    return found


class _Reading:
    """Says which value a damaged row held, not what was in it: a customer's words stay out of logs."""

    def __init__(self, kind: Any) -> None:
        self._name = getattr(kind, "__name__", str(kind))

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: object) -> None:
        if isinstance(exc, TypeError | ValueError | ArithmeticError | AttributeError):
            raise StorageError(
                f"a stored {self._name} cannot be read: the database holds what this program never wrote; "
                "`python -m bot db check` looks further"
            ) from exc


def _fields_of(kind: Any) -> dict[str, _Reader]:
    hints = get_type_hints(kind)
    return {field.name: _reader(hints[field.name]) for field in dataclasses.fields(kind)}


def _reader_of(kind: Any) -> _Reader:
    """How a type reads its JSON form. Raises :class:`TypeError` for a type that no value may have."""
    origin, args = get_origin(kind), get_args(kind)
    if kind in (str, int, float, bool):
        return _exactly(kind)
    if origin is Literal:
        return _one_of(frozenset(args))
    if origin in (Union, UnionType):
        return _either(args)
    if origin is tuple:
        return _sequence(args)
    if kind is datetime:
        return datetime.fromisoformat
    if kind is Decimal or (isinstance(kind, type) and issubclass(kind, Enum)):
        made: _Reader = kind
        return made
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _whole(kind)
    raise TypeError(f"{kind} has no JSON form")


def _exactly(kind: type[Any]) -> _Reader:
    def read(data: Any) -> Any:
        if type(data) is kind:
            return data
        if kind is float and type(data) is int:
            return float(data)
        raise TypeError(f"{type(data).__name__} where {kind.__name__} belongs")

    return read


def _one_of(known: frozenset[Any]) -> _Reader:
    def read(data: Any) -> Any:
        if data not in known:
            raise ValueError("a word that is not one of the known ones")
        return data

    return read


def _either(kinds: tuple[Any, ...]) -> _Reader:
    """``X | None`` and ``str | Photo``: an object is the dataclass among them, anything else the plain one."""
    objects = [kind for kind in kinds if dataclasses.is_dataclass(kind)]
    plain = [kind for kind in kinds if kind is not type(None) and kind not in objects]
    if len(objects) > 1 or len(plain) > 1:
        raise TypeError(f"{kinds}: JSON could not tell which of them it is")
    none = type(None) in kinds

    def read(data: Any) -> Any:
        if data is None and none:
            return None
        chosen = objects if isinstance(data, dict) and objects else plain
        if not chosen:
            raise TypeError(f"{type(data).__name__} where an object belongs")
        return _reader(chosen[0])(data)

    return read


def _sequence(kinds: tuple[Any, ...]) -> _Reader:
    if kinds[-1] is Ellipsis:
        part = _reader(kinds[0])

        def read_any(data: Any) -> Any:
            if not isinstance(data, list):
                raise TypeError(f"{type(data).__name__} where an array belongs")
            return tuple(part(item) for item in data)

        return read_any
    parts = [_reader(kind) for kind in kinds]

    def read_each(data: Any) -> Any:
        return tuple(read(item) for read, item in zip(parts, data, strict=True))

    return read_each


def _whole(kind: type[Any]) -> _Reader:
    def read(data: Any) -> Any:
        readers = _fields(kind)
        return kind(**{name: readers[name](part) for name, part in data.items() if name in readers})

    return read


_fields: Callable[[Any], dict[str, _Reader]] = cache(_fields_of)
_reader: Callable[[Any], _Reader] = cache(_reader_of)
