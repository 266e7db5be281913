"""The shop that ships: whole, consistent in itself, and exactly what the model was taught to see."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from bot import knowledge
from bot.model import Knowledge
from demo import draw
from inference.demo.items import COLOURS, KINDS, MATERIALS, PATTERNS

FOLDER = Path(draw.__file__).parent


@pytest.fixture(scope="module")
def shop() -> Knowledge:
    return knowledge.read(FOLDER)


def test_every_kind_is_sold_in_every_pattern(shop: Knowledge) -> None:
    sold = [(p.kind, p.pattern) for p in shop.products]
    assert sorted(sold) == sorted(itertools.product(KINDS, PATTERNS))


def test_products_have_two_to_four_colours_and_every_colour_is_sold(shop: Knowledge) -> None:
    for product in shop.products:
        colours = [v.colour for v in product.variants]
        assert 2 <= len(colours) <= 4, product.id
        assert len(set(colours)) == len(colours), product.id
    assert {v.colour for p in shop.products for v in p.variants} == set(COLOURS)


def test_a_product_is_called_what_the_model_calls_it(shop: Knowledge) -> None:
    for product in shop.products:
        assert product.name == ("" if product.pattern == "纯色" else product.pattern) + product.kind
        assert product.material in MATERIALS[product.kind].values()
        for variant in product.variants:
            assert variant.colour + product.name == draw.catalogue_item(product, variant).name


def test_only_what_is_worn_has_sizes(shop: Knowledge) -> None:
    for product in shop.products:
        worn = product.kind in ("连衣裙", "T恤", "裤子", "鞋子", "帽子", "袜子")
        for variant in product.variants:
            assert bool(variant.sizes) is worn, variant.sku
            for size in variant.sizes:
                assert size in ({str(n) for n in range(36, 44)} if product.kind == "鞋子" else {"S", "M", "L", "XL"})


def test_something_is_out_of_stock_and_most_is_not(shop: Knowledge) -> None:
    stocks = [v.stock for p in shop.products for v in p.variants]
    assert 3 <= stocks.count(0) <= len(stocks) // 5


def test_orders_show_every_status_and_fit_the_catalogue(shop: Knowledge) -> None:
    assert len(shop.orders) >= 12
    assert {o.status for o in shop.orders} == set(knowledge.STATUSES)
    names = {v.sku: (v.colour + p.name, v.price) for p in shop.products for v in p.variants}
    for order in shop.orders:
        assert re.fullmatch(r"ZG[0-9]{6}", order.number)
        assert bool(order.tracking) == bool(order.carrier)
        assert not order.tracking or re.fullmatch(r"SF[0-9]{10}", order.tracking)
        assert order.status not in ("已发货", "已签收") or order.tracking
        for line in order.lines:
            assert names[line.sku] == (line.name, line.price)


def test_questions_say_nothing_that_the_policy_does_not_say(shop: Knowledge) -> None:
    """Every number of an answer stands in the policy; sentences are the shop's own, not copies of it."""
    policy = "".join(passage for section in shop.policy for passage in section.passages)
    assert len(shop.faq) >= 20
    for faq in shop.faq:
        unknown = set(re.findall(r"\d+", faq.answer)) - set(re.findall(r"\d+", policy))
        assert unknown <= ({"4"} if "手机号后4位" in faq.answer else set()), faq.question
        for section in shop.policy:
            assert faq.answer not in section.passages, faq.question


def test_chinese_text_has_chinese_punctuation() -> None:
    for file in [FOLDER / "policy.md", FOLDER / "persona.zh.md", FOLDER / "examples.json"]:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"[\u4e00-\u9fff][,:;?!()]", text.replace('":', "")), file.name
    shop = knowledge.read(FOLDER)
    for said in [p.about for p in shop.products] + [f.question + f.answer for f in shop.faq]:
        assert not re.search(r"[,:;?!()]", said), said


def test_every_variant_has_a_picture_of_its_own_and_no_picture_is_spare(shop: Knowledge) -> None:
    names = [v.picture for p in shop.products for v in p.variants]
    assert len(set(names)) == len(names)
    assert {f.relative_to(FOLDER).as_posix() for f in (FOLDER / "pictures").glob("*.jpg")} == set(names)
    assert knowledge.lacking_pictures(FOLDER) == []
    assert sum(f.stat().st_size for f in (FOLDER / "pictures").rglob("*")) < 6_000_000


def test_the_pictures_are_those_that_the_script_draws() -> None:
    """A few of them, the examples included; JPEG keeps a picture to within a few shades."""
    names = list(draw.pictures())
    for name in [*names[::30], *names[-3:]]:
        picture = draw.pictures()[name]()
        kept = Image.open(FOLDER / name)
        assert kept.size == (draw.SIZE, draw.SIZE)
        assert kept.format == "JPEG"
        away = ImageStat.Stat(ImageChops.difference(kept.convert("RGB"), picture)).mean
        assert max(away) < 4, name


def test_examples_ask_in_both_languages_about_a_photo_that_is_there() -> None:
    examples = json.loads((FOLDER / "examples.json").read_text(encoding="utf-8"))
    assert [set(e) for e in examples] == [{"file", "zh", "en"}] * 6
    assert {e["file"] for e in examples} == {f"pictures/examples/{name}.jpg" for name in draw.EXAMPLES}
    shown = draw.EXAMPLES.values()
    assert sum(e.item.defect is not None for e in shown) == 1
    assert sum(e.form is not None for e in shown) == 1
    assert sum(e.item.count == 2 for e in shown) == 1
