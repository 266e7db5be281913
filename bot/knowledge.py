"""A shop's knowledge folder, read into values: ``products.csv``, ``orders.csv``, ``faq.csv`` and ``policy.md``.

Each file may be absent, but not all four. What is wrong is said for all rows at once, a line each, with file, line,
column and the way out. ``demo/`` is the example, the README describes the columns.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath

from bot import table
from bot.errors import ConfigError
from bot.model import Faq, Knowledge, Order, OrderLine, PolicySection, Product, Variant, joined
from bot.orders import nameable
from bot.table import Columns, Row

FILES = ("products.csv", "orders.csv", "faq.csv", "policy.md")
#: Without these a shop has nothing to tell: it works, and its owner hears of it.
_EXPECTED = ("products.csv", "policy.md")

STATUSES = ("待付款", "已付款", "已发货", "已签收", "已退款")

#: One row per variant; the rows of a product share its id and the columns of ``_SHARED_BY_PRODUCT``.
PRODUCTS = Columns(
    needed=("id", "name", "kind", "price", "stock", "sku"),
    optional=(
        "pattern",
        "material",
        "about",
        "colour",
        "sizes",
        "picture",
        "kind_also",
        "pattern_also",
        "colour_also",
    ),
)
#: One row per order line; the rows of an order share its number and the columns of ``_SHARED_BY_ORDER``.
ORDERS = Columns(
    needed=("number", "phone_tail", "status", "at", "name", "quantity", "price"),
    optional=("carrier", "tracking", "sku"),
)
FAQ = Columns(needed=("question", "answer"))

_SHARED_BY_PRODUCT = ("name", "kind", "pattern", "material", "about", "kind_also", "pattern_also")
_SHARED_BY_ORDER = ("phone_tail", "status", "at", "carrier", "tracking")

#: Goes into :func:`version`: raised when the same files would be read into other values.
_READING = b"3"

#: Faults that are listed; the rest is counted.
_SHOWN = 20

#: A time without a zone is China's.
_CHINA = timezone(timedelta(hours=8))


def version(folder: Path) -> str:
    """Names the state of a folder's files: the same as long as :func:`read` returns the same. Raises ConfigError."""
    digest = hashlib.sha256(_READING)
    for name in FILES:
        try:
            data = (folder / name).read_bytes()
        except FileNotFoundError:
            continue
        except OSError as exc:
            raise ConfigError(f"{folder / name}: cannot be read ({exc.strerror})") from exc
        digest.update(f"{name} {len(data)}\n".encode())
        digest.update(data)
    return digest.hexdigest()


def read(folder: Path) -> Knowledge:
    """Everything that the folder says. Raises :class:`ConfigError` with all that is wrong, a line each."""
    if not folder.is_dir():
        raise ConfigError(f"{folder}: there is no such folder; shop.knowledge names the one with the shop's tables")
    if not any((folder / name).exists() for name in FILES):
        raise ConfigError(f"{folder}: holds none of {', '.join(FILES)}; demo/ is an example of such a folder")
    faults: list[str] = []
    knowledge = Knowledge(
        products=_products(table.rows(folder / "products.csv", PRODUCTS, faults)),
        policy=_policy(folder / "policy.md", faults),
        faq=_faq(table.rows(folder / "faq.csv", FAQ, faults)),
        orders=_orders(table.rows(folder / "orders.csv", ORDERS, faults)),
    )
    if faults:
        more = [f"… and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
        raise ConfigError("\n".join(faults[:_SHOWN] + more))
    return knowledge


def gaps(folder: Path) -> list[str]:
    """What a shop can hardly be without and that is not there or says nothing: told, not stopped."""
    out = []
    for name in _EXPECTED:
        path = folder / name
        if not path.is_file():
            near = difflib.get_close_matches(name, sorted(p.name for p in folder.iterdir() if p.name not in FILES), n=1)
            out.append(f"{path}: there is no such file" + (f"; is it {near[0]}? Then rename that" if near else ""))
            continue
        lines = [line for line in path.read_bytes().splitlines() if line.strip(b" \t,;\xef\xbb\xbf")]
        # The first line of a table names its columns; a policy's heading says nothing without a line below.
        if len(lines) < 2:
            out.append(f"{path}: holds nothing yet")
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class LackingPicture:
    """A picture that ``products.csv`` names and that cannot be shown. A shop works without it: told, not stopped."""

    name: str
    #: The first line of ``products.csv`` that names it.
    line: int
    #: «is not there», «is no JPEG, PNG or WebP», «cannot be read (…)».
    why: str

    def __str__(self) -> str:
        return f"products.csv:{self.line}: {self.name} {self.why}"


NOT_THERE, NO_PICTURE = "is not there", "is no JPEG, PNG or WebP"


def lacking_pictures(folder: Path) -> list[LackingPicture]:
    """Each once, in the table's order. What is wrong with the table itself :func:`read` says."""
    lines: dict[str, int] = {}
    for row in table.rows(folder / "products.csv", PRODUCTS, []):
        if name := row.take("picture", _below, ""):
            lines.setdefault(name, row.line)
    return [
        LackingPicture(name=name, line=line, why=why)
        for name, line in lines.items()
        if (why := _no_picture(folder / name)) is not None
    ]


def _no_picture(path: Path) -> str | None:
    """Why a file cannot be shown; ``None`` where it is JPEG, PNG or WebP by its first bytes."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except FileNotFoundError:
        return NOT_THERE
    except OSError as exc:
        return f"cannot be read ({exc.strerror})"
    known = head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")) or (head[:4] == b"RIFF" and head[8:] == b"WEBP")
    return None if known else NO_PICTURE


# ------------------------------------------------------------------------------------------------ the four files


def _products(rows: Sequence[Row]) -> tuple[Product, ...]:
    skus: dict[str, Row] = {}
    out: list[Product] = []
    for first, *others in _together(rows, "id", _SHARED_BY_PRODUCT):
        variants: list[Variant] = []
        for row in (first, *others):
            sku = row.take("sku", _code, "")
            if sku in skus:
                row.fault("sku", f"{sku} stands on line {skus[sku].line} already; each variant has its own")
            skus.setdefault(sku, row)
            variants.append(
                Variant(
                    sku=sku,
                    colour=row["colour"],
                    sizes=_list(row["sizes"]),
                    price=row.take("price", _money, Decimal()),
                    stock=row.take("stock", _count, 0),
                    picture=row.take("picture", _below, ""),
                    colour_also=_list(row["colour_also"]),
                )
            )
        out.append(
            Product(
                id=first.take("id", _code, ""),
                name=first["name"],
                kind=first["kind"],
                pattern=first["pattern"],
                material=first["material"],
                about=first["about"],
                variants=tuple(variants),
                kind_also=_list(first["kind_also"]),
                pattern_also=_list(first["pattern_also"]),
            )
        )
    return tuple(out)


def _orders(rows: Sequence[Row]) -> tuple[Order, ...]:
    spelled: dict[str, Row] = {}
    out: list[Order] = []
    for first, *others in _together(rows, "number", _SHARED_BY_ORDER):
        number = first.take("number", _order_number, "")
        same = spelled.setdefault(joined(number), first)
        if number and same is not first:
            first.fault("number", f"but for hyphens and capital letters this is {same['number']} of line {same.line}")
        out.append(
            Order(
                number=number,
                phone_tail=first.take("phone_tail", _phone_tail, ""),
                status=first.take("status", _status, ""),
                at=first.take("at", _time, datetime.min.replace(tzinfo=UTC)),
                carrier=first["carrier"],
                tracking=first.take("tracking", _code, ""),
                lines=tuple(
                    OrderLine(
                        sku=row.take("sku", _code, ""),
                        name=row["name"],
                        quantity=row.take("quantity", _at_least_one, 1),
                        price=row.take("price", _money, Decimal()),
                    )
                    for row in (first, *others)
                ),
            )
        )
    return tuple(out)


def _faq(rows: Sequence[Row]) -> tuple[Faq, ...]:
    out: dict[str, Faq] = {}
    for row in rows:
        if row["question"] in out:
            row.fault("question", "is there twice")
        out[row["question"]] = Faq(id=str(len(out) + 1), question=row["question"], answer=row["answer"])
    return tuple(out.values())


def _policy(path: Path, faults: list[str]) -> tuple[PolicySection, ...]:
    """``# title``, then a passage per line; the first passage of a section is in every customer's prompt."""
    try:
        lines = table.decoded(path).splitlines()
    except FileNotFoundError:
        return ()
    sections: dict[str, list[str]] = {}
    begins: dict[str, int] = {}
    passages: list[str] | None = None
    for number, line in enumerate((" ".join(line.split()) for line in lines), 1):
        if line.startswith("#"):
            title = line.lstrip("# ")
            if not title:
                faults.append(f"{path}:{number}: a heading without a title")
            if title in sections:
                faults.append(f"{path}:{number}: «{title}» is the heading of line {begins[title]} already")
            passages = sections.setdefault(title, [])
            begins.setdefault(title, number)
        elif line and passages is None:
            faults.append(f"{path}:{number}: stands before the first heading; begin with a line like «# 运费»")
            passages = []
        elif line and passages is not None:
            passages.append(line)
    for name, found in sections.items():
        if name and not found:
            faults.append(f"{path}:{begins[name]}: «{name}» says nothing; write a line below it")
    return tuple(PolicySection(id=name, title=name, passages=tuple(found)) for name, found in sections.items())


def _together(rows: Sequence[Row], key: str, shared: Sequence[str]) -> list[list[Row]]:
    """Rows by their key, in order of first appearance; a fault where they contradict each other."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        group = groups.setdefault(row[key], [])
        for column in shared if group else ():
            if row[column] != group[0][column]:
                row.fault(column, f"differs from line {group[0].line}; the rows of {key} {row[key]} share it")
        group.append(row)
    return list(groups.values())


# ------------------------------------------------------------------------------------------------ cells


def _list(text: str) -> tuple[str, ...]:
    """Several things in one cell: «S/M/L»."""
    return tuple(part.strip() for part in text.split("/") if part.strip())


def _money(text: str) -> Decimal:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,2})?", text):
        raise ValueError("not an amount like 89 or 19.9, without unit or sign")
    return Decimal(text)


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError("not a whole number like 12")
    return int(text)


def _at_least_one(text: str) -> int:
    count = _count(text)
    if not count:
        raise ValueError("at least 1")
    return count


def _code(text: str) -> str:
    if re.fullmatch(r"[0-9]\.[0-9]+E\+[0-9]+", text):
        raise ValueError("a spreadsheet has rounded this number; format the column as text and enter it again")
    if " " in text:
        raise ValueError("a blank inside")
    return text


def _order_number(text: str) -> str:
    if not nameable(_code(text)):
        raise ValueError(
            "no customer could ask for this order; a number has letters, digits and hyphens only, 6 to 32 of them with"
            " at least 4 digits, and is neither a mobile phone's nor a date"
        )
    return text


def _phone_tail(text: str) -> str:
    if not re.fullmatch(r"[0-9]{4}", text):
        raise ValueError("the last four digits; a spreadsheet drops zeros in front unless the column is text")
    return text


def _status(text: str) -> str:
    if text not in STATUSES:
        raise ValueError(f"not one of {' '.join(STATUSES)}")
    return text


def _time(text: str) -> datetime:
    """ISO 8601, or the way that a Chinese spreadsheet writes it: 2026/11/20 10:32."""
    try:
        at = datetime.fromisoformat(re.sub(r"\b([0-9])\b", r"0\1", text.replace("/", "-")))
    except ValueError as exc:
        raise ValueError("not a time like 2026-11-20T10:32+08:00 or 2026/11/20 10:32") from exc
    return (at if at.tzinfo else at.replace(tzinfo=_CHINA)).astimezone(UTC)


def _below(text: str) -> str:
    """A file below the knowledge folder: what stands elsewhere on the disk is never shown."""
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or "\\" in text or ":" in text:
        raise ValueError("not a path below the folder, like pictures/cup.jpg")
    return text
