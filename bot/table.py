"""Tables as people's spreadsheets write them: a CSV file becomes rows of named, tidied cells.

UTF-8 with or without BOM, or the GBK of a Chinese Excel; columns in any order. Nothing is raised for what is wrong
inside a file: each fault is one line, «file:line: column: what and how to mend it», and the reading goes on, so that an
owner sees all of them at once.
"""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bot.errors import ConfigError

T = TypeVar("T")

#: What spreadsheets put between cells: by the country that they are set to, or as «text, tab-separated».
_SEPARATORS = {",": "a comma", ";": "a semicolon", "\t": "a tab"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What a table may hold."""

    #: Must be there, and every row must fill it.
    needed: tuple[str, ...]
    #: May be absent or empty.
    optional: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return self.needed + self.optional


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row; every column of the table's :class:`Columns` has a cell, the needed ones are not empty."""

    path: Path
    line: int
    cells: dict[str, str]
    faults: list[str]

    def __getitem__(self, column: str) -> str:
        return self.cells[column]

    def fault(self, column: str, reason: str) -> None:
        self.faults.append(f"{self.path}:{self.line}: {column}: {reason}")

    def take(self, column: str, parse: Callable[[str], T], default: T) -> T:
        """The cell as ``parse`` reads it; a :class:`ValueError` becomes a fault, and ``default`` stands in."""
        try:
            return parse(self.cells[column])
        except ValueError as exc:
            self.fault(column, f"{exc} (it is {self.cells[column]!r})")
            return default


def rows(path: Path, columns: Columns, faults: list[str]) -> list[Row]:
    """The rows of a file that can be read; ``faults`` grows by what cannot. A file that is not there has none."""
    try:
        text = decoded(path)
    except FileNotFoundError:
        return []
    separator = _separator(text)
    lines = _lines(path, text, separator, faults)
    number, header = next(lines, (1, []))
    if not _header_fits(f"{path}:{number}", header, columns, faults):
        return []
    out: list[Row] = []
    for number, cells in lines:
        if not any(cells):
            continue
        if len(cells) != len(header):
            hint = f"; {_SEPARATORS[separator]} inside a text needs the text in double quotes"
            hint = hint if len(cells) > len(header) else ""
            faults.append(f"{path}:{number}: the row has {len(cells)} cells, the header {len(header)}{hint}")
            continue
        named = dict.fromkeys(columns.all, "") | dict(zip(header, cells, strict=True))
        row = Row(path=path, line=number, cells=named, faults=faults)
        empty = [column for column in columns.needed if not row[column]]
        for column in empty:
            row.fault(column, "is empty")
        if not empty:
            out.append(row)
    return out


def _header_fits(where: str, header: list[str], columns: Columns, faults: list[str]) -> bool:
    before = len(faults)
    for name in header:
        if name not in columns.all:
            near = difflib.get_close_matches(name, [c for c in columns.all if c not in header], n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(columns.all)}"
            faults.append(f"{where}: {name or 'a column without a name'}: no such column; {hint}")
        elif header.count(name) > 1:
            faults.append(f"{where}: {name}: the column is there twice")
    faults += [
        f"{where}: {column}: the column is missing; the first line names the columns, separated by commas"
        for column in columns.needed
        if column not in header
    ]
    return len(faults) == before


def _separator(text: str) -> str:
    """What stands most often in the header, whose names hold none of them; a comma when nothing does."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    return max(_SEPARATORS, key=header.count)


def _lines(path: Path, text: str, separator: str, faults: list[str]) -> Iterator[tuple[int, list[str]]]:
    """(line on which the row begins, tidied cells); ends at what is not CSV."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    begins = 1
    try:
        for cells in reader:
            # A cell becomes part of one line of a prompt: line breaks and doubled blanks in it are one blank.
            yield begins, [" ".join(cell.split()) for cell in cells]
            begins = reader.line_num + 1
    except csv.Error as exc:
        faults.append(f"{path}:{begins}: not a CSV row: {exc}; look for a double quote without its partner")


def decoded(path: Path) -> str:
    """The file's text. Raises :class:`FileNotFoundError`, and :class:`ConfigError` when it is in no known encoding."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read ({exc.strerror})") from exc
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        # GBK accepts nearly all bytes, damaged UTF-8 too, and would show customers rubbish. But GBK read as UTF-8 is
        # nothing but damage; one bad place among good Chinese is UTF-8 that was cut or patched.
        good = sum("\u3000" <= ch <= "\uffef" for ch in data.decode("utf-8", errors="ignore"))
        line = data.count(b"\n", 0, exc.start) + 1
        if good > data.decode("utf-8", errors="replace").count("\ufffd"):
            raise ConfigError(f"{path}:{line}: damaged text; save the file again as «CSV UTF-8»") from exc
    try:
        return data.decode("gb18030")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise ConfigError(f"{path}:{line}: neither UTF-8 nor GBK text; save the file as «CSV UTF-8»") from exc
