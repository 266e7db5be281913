"""``bot.toml`` with the slips of people who have never heard of TOML."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import toml
from bot.errors import ConfigError


def complaint(tmp_path: Path, data: bytes) -> str:
    """What is said, the folder left out."""
    file = tmp_path / "bot.toml"
    file.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        toml.read(file)
    return str(caught.value).replace(f"{tmp_path}/", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = 小满杂货", 'text needs straight double quotes: name = "小满杂货"'),
        ("name = 小满杂货  # ours", 'text needs straight double quotes: name = "小满杂货"'),
        ("name = \u201c小满杂货\u201d", 'text needs straight double quotes: name = "小满杂货"'),
        ("name = \u300c小满杂货\u300d", 'text needs straight double quotes: name = "小满杂货"'),
        ('name = "小满杂货\u201d', 'text needs straight double quotes: name = "小满杂货"'),
        ("host = 127.0.0.1", 'text needs straight double quotes: host = "127.0.0.1"'),
        ("mode = off", 'text needs straight double quotes: mode = "off"'),
        ('name = "小满杂货', 'the closing quote is missing: name = "小满杂货"'),
        ("name = '小满杂货", 'the closing quote is missing: name = "小满杂货"'),
        ("name =", 'name has no value; an empty text is name = ""'),
        ("name = # later", 'name has no value; an empty text is name = ""'),
        ("enabled = True", "true and false are written in small letters: enabled = true"),
        ("port: 7860", "a key and its value are joined by «=»: port = 7860"),
        ("port \uff1d 7860", "a key and its value are joined by «=»: port = 7860"),
        ("a.b = 1\na.b = 2", "a.b is here a second time; remove one of the two"),
        ("[shop]\n[web]\n[shop]", "[shop] is here a second time; remove one of the two"),
        ("port = 78x", "not valid TOML: expected newline or end of document after a statement: port = 78x"),
        ('name = "a" "b"', 'not valid TOML: expected newline or end of document after a statement: name = "a" "b"'),
        ("[shop", "not valid TOML: expected ']' at the end of a table declaration: [shop"),
    ],
)
def test_a_slip_is_said_with_its_line_and_the_line_as_it_should_be(tmp_path: Path, text: str, said: str) -> None:
    lines = 2 + text.count("\n")
    assert complaint(tmp_path, f"# settings\n{text}\nlast = 1\n".encode()) == f"bot.toml:{lines}: {said}"


def test_what_is_never_closed_is_named_where_it_begins(tmp_path: Path) -> None:
    assert complaint(tmp_path, b'a = 1\norigins = ["x",\n\n\n').startswith(
        "bot.toml:2: not valid TOML: invalid value: origins = ["
    )
    assert complaint(tmp_path, b"a = 1\nb = '") == 'bot.toml:2: the closing quote is missing: b = ""'


@pytest.mark.parametrize("data", ["# 设置\nname = 'x'\n".encode("gbk"), "name = 'x'\n".encode("utf-16")])
def test_a_file_in_another_encoding_is_said_in_a_sentence(tmp_path: Path, data: bytes) -> None:
    assert complaint(tmp_path, data) == "bot.toml:1: cannot be read as UTF-8 text; save the file in that encoding"


def test_the_mark_and_the_line_ends_of_windows_are_read(tmp_path: Path) -> None:
    file = tmp_path / "bot.toml"
    file.write_bytes(b"\xef\xbb\xbf[web]\r\nport = 1\r\n")
    assert toml.read(file) == ("[web]\nport = 1\n", {"web": {"port": 1}})


def test_no_file_and_a_folder_are_each_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file; --config names another"):
        toml.read(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match=r"cannot be read \(Is a directory\)"):
        toml.read(tmp_path)
