"""Pictures and their labels: what the training and the shop's catalogue both rest on."""

from __future__ import annotations

import random

import numpy as np
import pytest
from PIL import Image

from inference.demo import others
from inference.demo.drawing import BODY, DAMAGE, PALETTE, catalogue, draw
from inference.demo.items import COLOURS, DEFECTS, ENGLISH, KINDS, MATERIALS, MEASURES, PLACES, Item, any_item
from inference.demo.pictures import HEADS, OTHER, cells, item_of, label


def test_same_seed_draws_the_same_picture() -> None:
    item = Item(kind="杯子", colour="红色", pattern="条纹", defect="裂痕", place="左边")
    one, two = (draw(item, random.Random(7), 64).tobytes() for _ in range(2))
    assert one == two
    assert one != draw(item, random.Random(8), 64).tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_damaged_everywhere(kind: str) -> None:
    for seed, place in enumerate(PLACES):
        item = Item(kind=kind, colour="蓝色", defect="破洞", place=place)
        assert draw(item, random.Random(seed), 64).size == (64, 64)


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_trace_tells_where_item_and_damage_are(defect: str) -> None:
    for place in ("左边", "右边"):
        item = Item(kind="手机壳", colour="黄色", defect=defect, place=place)
        trace = Image.new("L", (256, 256))
        draw(item, random.Random(11), trace=trace)
        found = cells(trace)
        assert 60 < (found == BODY).sum() < 700
        assert 0 < (found == DAMAGE).sum() < 60
        columns = np.nonzero(found)[1]
        left = (found == DAMAGE)[:, : (columns.min() + columns.max()) // 2].sum()
        assert (left > 0) == (place == "左边")


@pytest.mark.parametrize("colour", COLOURS)
def test_catalogue_shows_the_colour_of_its_label(colour: str) -> None:
    pixels = np.asarray(catalogue(Item(kind="手机壳", colour=colour), 64), np.int16)
    middle = pixels[30:50, 26:38].reshape(-1, 3).mean(0)
    nearest = min(PALETTE, key=lambda name: float(np.abs(middle - PALETTE[name]).sum()))
    assert nearest == colour


def test_labels_of_an_item_give_the_item_back() -> None:
    rng = random.Random(1)
    for item in (*(any_item(rng) for _ in range(200)), None):
        numbers = np.array(label(item), np.int8)
        assert len(numbers) == len(HEADS)
        assert item_of(numbers) == item
    assert label(None)[0] == OTHER


def test_item_refuses_what_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="finish"):
        Item(kind="杯子", colour="红色", finish="织纹")
    with pytest.raises(ValueError, match="place"):
        Item(kind="杯子", colour="红色", defect="裂痕")
    with pytest.raises(ValueError, match="lone"):
        Item(kind="杯子", colour="红色", defect="裂痕", place="左边", count=2)


def test_every_word_has_its_english_and_its_measure() -> None:
    materials = {name for of_kind in MATERIALS.values() for name in of_kind.values()}
    assert {*KINDS, *COLOURS, *PLACES, *materials} <= set(ENGLISH)
    assert set(MEASURES) == set(KINDS)


def test_pictures_of_other_things_are_drawn() -> None:
    rng = random.Random(2)
    for form in others.THINGS:
        item = Item(kind="T恤", colour="绿色")
        assert draw(item, rng, 48, form=form).size == (48, 48)
    for _ in range(30):
        assert others.other(rng, 48).size == (48, 48)


def test_a_tall_photo_is_framed_whole() -> None:
    tall = draw(Item(kind="帽子", colour="红色"), random.Random(3), 90).resize((40, 90))
    assert others.framed(tall, 64).size == (64, 64)
