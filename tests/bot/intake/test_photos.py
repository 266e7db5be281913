"""Photos are fetched and kept before they are asked about; what cannot be used is said."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from bot import fetching, words
from bot.burst import MOST_PHOTOS, MOST_WORDS
from bot.dialogue import Dialogue
from bot.errors import (
    PhotoError,
    TryLater,
)
from bot.intake import Intake
from bot.model import Event, Photo, PhotoRef
from bot.outbox import Outbox
from storage.photos import PhotoFiles
from storage.store import open_store
from tests.bot.intake.house import ME, PHOTO, YOU, Built, until
from tests.fakes.adapter import RecordingAdapter
from tests.fakes.engine import ScriptedEngine, written
from tests.fakes.facts import ScriptedFacts
from tests.fakes.loop import Hurried
from tests.fakes.photos import normalise
from tests.fakes.voice import VOICE


async def test_a_photo_is_fetched_and_kept_before_it_is_asked_about(built: Built) -> None:
    house = built()
    house.adapter.files = {"f1": [b"a photo"]}
    await house.say("看看？", refs=(PhotoRef(ref="f1"),))
    await house.adapter.replies(1)
    ((photo, text),) = house.bodies()
    assert isinstance(photo, Photo)
    assert (photo.width, photo.height, text) == (100, 80, "看看？")
    assert await house.store.photo(ME, photo.sha256) == photo
    (said, _) = await house.said()
    assert said.turn.photos == (photo,)


@pytest.mark.parametrize("fault", ["broken", "format", "too_big", "too_many_pixels", "too_small"])
@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_photo_that_cannot_be_used_gets_its_sentence(built: Built, fault: str, language: Any) -> None:
    house = built()
    house.adapter.files = {"f1": [fault.encode()]}
    await house.say(refs=(PhotoRef(ref="f1"),), language=language)
    (reply,) = await house.adapter.replies(1)
    assert (reply.text, reply.source) == (words.say(language, f"photo.{fault}"), "rule")
    assert house.engine.requests == []


async def test_the_words_beside_a_broken_photo_are_answered_too(built: Built) -> None:
    house = built()
    house.adapter.files = {"f1": [b"broken"], "f2": [b"good"], "f3": [b"broken"]}
    await house.say("看看？", refs=(PhotoRef(ref="f1"), PhotoRef(ref="f2"), PhotoRef(ref="f3")))
    (reply,) = await house.adapter.replies(1)
    assert reply.text == f"{words.say('zh', 'photo.broken')}\n您说「看看？」。"
    assert reply.source == "model"


async def test_a_photo_is_asked_for_until_the_network_is_back(built: Built) -> None:
    house = built()
    house.adapter.files = {"f1": [*[TryLater("not now", seconds=0)] * 20, b"a photo"]}
    await house.say("看看？", refs=(PhotoRef(ref="f1"),))
    await house.adapter.replies(1)
    assert len(house.bodies()[0]) == 2
    assert house.adapter.fetches == ["f1"] * 21


async def test_a_photo_that_nobody_gives_us_is_given_up_in_the_end(
    built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_FETCH_FOR", 0.0)
    house = built()
    house.adapter.files = {"f1": [TryLater("not now", seconds=0)]}
    await house.say(refs=(PhotoRef(ref="f1"),))
    assert (await house.adapter.replies(1))[0].text == words.say("zh", "photo.gone")


async def test_a_customer_erased_while_his_photo_is_fetched_does_not_come_back(built: Built) -> None:
    house = built()

    async def fetch(event: Event, ref: PhotoRef) -> bytes:
        await house.store.erase(ME)
        return b"a photo"

    house.adapter.fetch = fetch  # type: ignore[method-assign]
    await house.say("看看？", refs=(PhotoRef(ref="f1"),))
    await house.settled()
    assert house.adapter.sent == []
    assert house.adapter.silences == [ME]
    assert await house.store.customers() == []
    assert await house.store.export(ME) == await house.store.export(YOU)


async def test_a_customer_erased_while_his_photo_cannot_be_fetched_is_let_go(built: Built) -> None:
    house = built()
    tries = count()

    async def fetch(event: Event, ref: PhotoRef) -> bytes:
        if next(tries) == 3:
            await house.store.erase(ME)
        raise TryLater("not now", seconds=0)

    house.adapter.fetch = fetch  # type: ignore[method-assign]
    await house.say("看看？", refs=(PhotoRef(ref="f1"),))
    await house.settled()
    assert house.adapter.silences == [ME]
    assert await house.store.customers() == []


async def test_a_photo_that_its_adapter_refuses_gets_the_sentence_of_its_reason(built: Built) -> None:
    house = built()
    house.adapter.files = {"f1": [PhotoError("too_big", "40 MB")]}
    await house.say(refs=(PhotoRef(ref="f1"),))
    assert (await house.adapter.replies(1))[0].text == words.say("zh", "photo.too_big")
    assert house.adapter.fetches == ["f1"]


async def test_more_photos_than_the_model_reads_are_left_out_and_said(built: Built) -> None:
    house = built()
    photos = tuple(replace(PHOTO, sha256=str(n) * 64) for n in range(MOST_PHOTOS + 1))
    await house.say("看看？", photos=photos)
    (reply,) = await house.adapter.replies(1)
    assert house.bodies() == [(*photos[:MOST_PHOTOS], "看看？")]
    assert reply.text.splitlines()[0] == words.say("zh", "photo.too_many", n=MOST_PHOTOS)
    await house.say("看看？", photos=photos[:MOST_PHOTOS])
    assert (await house.adapter.replies(2))[1].text == "您说「看看？」。"


async def test_words_without_end_are_cut_and_said(built: Built) -> None:
    house = built([written("好的。"), written("好的。")])
    await house.say("字" * (MOST_WORDS + 1))
    (reply,) = await house.adapter.replies(1)
    assert house.bodies() == [("字" * MOST_WORDS,)]
    assert reply.text == f"{words.say('zh', 'answer.too_long')}\n好的。"
    await house.say("字" * MOST_WORDS)
    assert (await house.adapter.replies(2))[1].text == "好的。"


def test_a_photo_that_cannot_be_fetched_is_asked_for_at_growing_pauses(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_LONGEST", 60.0)
    monkeypatch.setattr(fetching, "_SIGNS", 0)
    loop = Hurried()
    pauses: list[float] = []

    async def asks() -> None:
        async with open_store(database) as store:
            adapter = RecordingAdapter()
            adapter.files = {"f1": [*[TryLater("not now", seconds=0)] * 8, b"broken"]}
            adapters = {"test": adapter}
            dialogue = Dialogue(ScriptedEngine(), ScriptedFacts(), store, VOICE)
            photos = PhotoFiles(store.database, tmp_path / "photos", normalise)
            intake = Intake(store, photos, adapters, lambda _: dialogue, Outbox(store, adapters), merge_s=0.0)
            intake.open()
            await intake.accept([Event(id="e1", customer=ME, at=datetime.now(UTC), refs=(PhotoRef(ref="f1"),))])
            await adapter.replies(1)
            pauses[:] = [wait for wait in loop.waits if wait >= 1]
            await intake.close()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(asks())
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


async def test_a_photo_that_cannot_be_kept_is_said_and_holds_nothing_up(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_KEEP_FOR", 0.0)
    house = built()
    house.adapter.files = {"f1": [b"a photo"]}
    (tmp_path / "photos").write_bytes(b"a file in the way")
    await house.say("看看？", refs=(PhotoRef(ref="f1"),))
    (reply,) = await house.adapter.replies(1)
    assert reply.text == f"{words.say('zh', 'photo.unkept')}\n您说「看看？」。"
    assert house.bodies() == [("看看？",)]


async def test_a_photo_is_fetched_once_however_often_it_cannot_be_kept(built: Built, tmp_path: Path) -> None:
    house = built()
    house.adapter.files = {"f1": [b"a photo", b"another"]}
    (tmp_path / "photos").write_bytes(b"a file in the way")
    await house.say("看看？", refs=(PhotoRef(ref="f1"),))
    await until(lambda: house.photos.ready() is not None)
    (tmp_path / "photos").unlink()
    await house.adapter.replies(1)
    assert len(house.bodies()[0]) == 2
    assert house.adapter.fetches == ["f1"]
    assert house.photos.ready() is None


async def test_a_photo_that_was_long_on_its_way_is_still_tried_to_be_kept(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_KEEP_FOR", 0.3)
    house = built()
    house.adapter.files = {"f1": [b"a photo"]}
    house.adapter.held.clear()
    (tmp_path / "photos").write_bytes(b"a file in the way")
    await house.say("看看？", refs=(PhotoRef(ref="f1"),))
    await asyncio.sleep(0.5)
    house.adapter.held.set()
    await until(lambda: house.photos.ready() is not None)
    (tmp_path / "photos").unlink()
    await house.adapter.replies(1)
    assert len(house.bodies()[0]) == 2


async def test_who_waits_for_his_photo_sees_that_he_was_heard_and_then_why(
    built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_SIGN_OF_LIFE", 0.01)
    house = built()
    house.adapter.files = {"f1": [b"a photo"]}
    house.adapter.held.clear()
    event = await house.say("看看？", refs=(PhotoRef(ref="f1"),))
    await until(lambda: bool(house.adapter.notices))
    assert house.adapter.thoughts == 4
    house.adapter.held.set()
    await house.adapter.replies(1)
    ((route, text, _, ahead),) = house.adapter.notices
    assert (route, text, ahead) == (event.route, words.say("zh", "notice.fetching"), 0)


async def test_a_photo_that_came_is_not_missed_any_more(built: Built) -> None:
    house = built()
    house.adapter.files = {"f1": [b"a photo"]}
    await house.say("看看？", refs=(PhotoRef(ref="f1"),))
    await house.settled()
    await asyncio.sleep(0)
    running = [task.get_coro() for task in asyncio.all_tasks()]
    assert not [each for each in running if "_company" in getattr(each, "__qualname__", "")], "nobody waits to say so"
    assert house.adapter.notices == []


async def test_an_album_that_nobody_gives_us_is_given_up_as_one(built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_FETCH_FOR", 0.3)
    monkeypatch.setattr(fetching, "_LONGEST", 0.01)
    monkeypatch.setattr(fetching, "_SIGN_OF_LIFE", 0.01)
    house = built()
    house.adapter.files = {f"f{n}": [TryLater("away", seconds=0)] for n in range(4)}
    pieces = [house.event(refs=(PhotoRef(ref=f"f{n}"),), album="a") for n in range(4)]
    await house.accept(*pieces, house.event("我的快递到哪了？"))
    await house.adapter.replies(1)
    assert len(house.adapter.notices) == 1
    assert house.adapter.fetches.count("f0") > 1
    assert [house.adapter.fetches.count(f"f{n}") for n in (1, 2, 3)] == [1, 1, 1]


async def test_who_is_not_answered_gets_no_sign_either(built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_SIGN_OF_LIFE", 0.0)
    house = built(answers=False)
    house.adapter.files = {"f1": [b"a photo"]}
    house.adapter.held.clear()
    await house.say("看看？", refs=(PhotoRef(ref="f1"),))
    await asyncio.sleep(0.1)
    house.adapter.held.set()
    await house.settled()
    assert (house.adapter.thoughts, house.adapter.notices) == (0, [])
