"""Tables as spreadsheets write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import table
from bot.errors import ConfigError
from bot.table import Columns

FAQ = Columns(needed=("question", "answer"), optional=("note",))
TEXT = "question,answer\n包邮吗？,满99元就包邮。\n"


def rows(path: Path, data: bytes) -> list[dict[str, str]]:
    file = path / "faq.csv"
    file.write_bytes(data)
    faults: list[str] = []
    read = [row.cells for row in table.rows(file, FAQ, faults)]
    assert faults == []
    return read


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
def test_the_encodings_of_spreadsheets_are_read(tmp_path: Path, encoding: str) -> None:
    expected = {"question": "包邮吗？", "answer": "满99元就包邮。", "note": ""}
    assert rows(tmp_path, TEXT.encode(encoding)) == [expected]


def test_line_ends_of_windows_and_empty_rows_are_read(tmp_path: Path) -> None:
    assert len(rows(tmp_path, TEXT.replace("\n", "\r\n").encode() + b",\r\n\r\n")) == 1


def test_white_space_in_a_cell_is_tidied_to_one_line(tmp_path: Path) -> None:
    (row,) = rows(tmp_path, 'question,answer\n a ,"one\n  two,\u3000three "\n'.encode())
    assert (row["question"], row["answer"]) == ("a", "one two, three")


def test_the_line_of_a_row_counts_the_lines_inside_of_cells_before(tmp_path: Path) -> None:
    file = tmp_path / "faq.csv"
    file.write_text('question,answer\na,"one\ntwo"\nb,\n', encoding="utf-8")
    faults: list[str] = []
    first, *rest = table.rows(file, FAQ, faults)
    assert (first.line, rest) == (2, [])
    assert faults == [f"{file}:4: answer: is empty"]


@pytest.mark.parametrize(("separator", "name"), [(",", "a comma"), (";", "a semicolon"), ("\t", "a tab")])
def test_whatever_separates_the_header_separates_the_rows(tmp_path: Path, separator: str, name: str) -> None:
    others = "".join({",", ";", "\t"} - {separator})
    (row,) = rows(tmp_path, f'question{separator}answer\n"a{separator}{others}"{separator}b{others}\n'.encode())
    assert (row["question"], row["answer"]) == (
        " ".join(f"a{separator}{others}".split()),
        " ".join(f"b{others}".split()),
    )
    faults: list[str] = []
    (tmp_path / "faq.csv").write_text(f"question{separator}answer\na{separator}b{separator}c\n", encoding="utf-8")
    assert table.rows(tmp_path / "faq.csv", FAQ, faults) == []
    assert faults == [
        f"{tmp_path}/faq.csv:2: the row has 3 cells, the header 2; {name} inside a text needs the text in double quotes"
    ]


def test_a_file_that_is_not_there_has_no_rows(tmp_path: Path) -> None:
    assert table.rows(tmp_path / "faq.csv", FAQ, []) == []


@pytest.mark.parametrize("data", [b"", b"\n\n", "问题,答案\n甲,乙\n".encode(), b"question|answer\na|b\n"])
def test_a_file_without_the_columns_says_which_are_missing(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "faq.csv"
    file.write_bytes(data)
    faults: list[str] = []
    assert table.rows(file, FAQ, faults) == []
    missing = [
        f"{file}:1: {c}: the column is missing; the first line names the columns, separated by commas"
        for c in FAQ.needed
    ]
    assert faults[-2:] == missing


def test_utf8_that_was_damaged_is_not_taken_for_gbk(tmp_path: Path) -> None:
    file = tmp_path / "faq.csv"
    file.write_bytes(TEXT.encode() + "可以退吗？,可以".encode()[:-1] + b"\n")
    with pytest.raises(ConfigError, match=r"faq\.csv:3: damaged text; save the file again as «CSV UTF-8»"):
        table.rows(file, FAQ, [])


def test_text_in_no_known_encoding_is_refused_by_line(tmp_path: Path) -> None:
    file = tmp_path / "faq.csv"
    file.write_bytes(b"question,answer\n" + b"\xff\xfe\xff\n")
    with pytest.raises(ConfigError, match=r"faq\.csv:2: neither UTF-8 nor GBK text"):
        table.rows(file, FAQ, [])
