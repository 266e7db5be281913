"""What the page knows of its shop."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.web.shop import picture_url, read_examples, shelf
from bot.errors import ConfigError
from bot.model import Product, Variant


def variant(colour: str, price: str = "89.00") -> Variant:
    return Variant(
        sku=colour, colour=colour, sizes=(), price=Decimal(price), stock=3, picture=f"pictures/t-{colour}.jpg"
    )


def product(name: str, *variants: Variant) -> Product:
    return Product(id=name, name=name, kind="T恤", pattern="", material="", about="好穿。", variants=variants)


def test_the_shelf_shows_each_product_once_and_their_colours_take_turns() -> None:
    things = [
        product("T恤", variant("红色"), variant("蓝色")),
        product("空"),
        product("裤子", variant("红色"), variant("蓝色")),
    ]
    cards = shelf(things)
    assert [card["name"] for card in cards] == ["红色T恤", "蓝色裤子"]
    assert cards[0] == {
        "name": "红色T恤",
        "about": "好穿。",
        "price": "89",
        "stock": 3,
        "picture": "pictures/t-%E7%BA%A2%E8%89%B2.jpg",
    }


def test_addresses_of_pictures() -> None:
    assert picture_url("") == ""
    assert picture_url("pictures/a b.jpg") == "pictures/a%20b.jpg"
    assert picture_url("a.jpg") == "pictures/a.jpg"


def test_examples_are_those_whose_picture_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "pictures" / "examples"
    folder.mkdir(parents=True)
    for name in ("a.jpg", "b.jpg"):
        (folder / name).write_bytes(b"x")
    rows = [{"file": file, "zh": "问", "en": "ask"} for file in ("a.jpg", "pictures/examples/b.jpg", "gone.jpg")]
    (tmp_path / "examples.json").write_text(json.dumps(rows), encoding="utf-8")
    examples = read_examples(tmp_path)
    assert [example.file for example in examples] == ["examples/a.jpg", "examples/b.jpg"]
    assert examples[0].words == {"zh": "问", "en": "ask"}


def test_a_shop_without_examples_has_none(tmp_path: Path) -> None:
    assert read_examples(tmp_path) == ()


@pytest.mark.parametrize("text", ["{", "[1]", '[{"file": "a.jpg"}]', "null"])
def test_examples_that_cannot_be_read_name_their_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.jpg").write_bytes(b"x")
    (tmp_path / "examples.json").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"examples\.json"):
        read_examples(tmp_path)
