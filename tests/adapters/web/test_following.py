"""The conversation under a reader: it follows what is new until he scrolls away, and only then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.async_api import Browser, expect

from tests.adapters.web.house import House
from tests.adapters.web.visitor import MUG, PHONE, TSHIRT, WIDE, Visitor, visit

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Grows the conversation and tells of an older scrolling before anybody could look at the new size, as browsers do.
GROWN = """
(node) => {
  node.querySelector(".items").style.paddingBottom = "400px";
  node.dispatchEvent(new Event("scroll"));
}
"""
#: Resolves when what was changed is on the screen.
SHOWN = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


async def at_end(me: Visitor) -> None:
    await me.page.wait_for_function(
        """() => {
          const { scrollHeight, scrollTop, clientHeight } = document.querySelector(".scroll");
          return scrollHeight - scrollTop - clientHeight <= 1;
        }"""
    )
    await expect(me.page.locator("button.latest")).to_be_hidden()


async def talked(me: Visitor) -> None:
    """A conversation that fills more than the screen."""
    for number in (1, 2):
        await me.say(f"长一点{number}")
        await me.answered(number)


@pytest.mark.parametrize("screen", [WIDE, PHONE], ids=["wide", "phone"])
async def test_photos_that_one_sends_are_in_sight(
    browser: Browser, house: House, tmp_path: Path, screen: dict[str, Any]
) -> None:
    tall, other = tmp_path / "tall.png", tmp_path / "other.png"
    Image.new("RGB", (400, 2000), "red").save(tall)
    Image.new("RGB", (500, 500), "blue").save(other)
    async with visit(browser, house, **screen) as me:
        await talked(me)
        await me.attach(TSHIRT, MUG, tall, other)
        await at_end(me)
        await me.say("这四张\n" * 4)
        await me.answered(3)
        await expect(me.mine.last.locator("img")).to_have_count(4)
        for image in await me.mine.last.locator("img").all():
            await expect(image).to_have_js_property("complete", True)
        await at_end(me)


async def test_what_grows_before_an_older_scrolling_is_told_does_not_end_the_following(
    browser: Browser, house: House
) -> None:
    async with visit(browser, house) as me:
        await talked(me)
        await at_end(me)
        await me.page.locator(".scroll").evaluate(GROWN)
        await me.page.evaluate(SHOWN)
        await at_end(me)


async def test_a_draft_of_many_lines_and_a_hint_push_nothing_out_of_sight(
    browser: Browser, house: House, tmp_path: Path
) -> None:
    words = tmp_path / "words.txt"
    words.write_text("words", encoding="utf-8")
    async with visit(browser, house, **PHONE) as me:
        await talked(me)
        for _ in range(6):
            await me.input.press("Shift+Enter")
            await me.input.type("行")
            await at_end(me)
        await me.attach(words)
        await expect(me.page.locator(".hint")).to_be_visible()
        await at_end(me)


async def test_who_scrolled_away_is_brought_back_by_his_own_message_only(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        await talked(me)
        scroll = me.page.locator(".scroll")
        await scroll.hover()
        await me.page.mouse.wheel(0, -500)
        await me.page.wait_for_function(
            """() => {
              const { scrollHeight, scrollTop, clientHeight } = document.querySelector(".scroll");
              return scrollHeight - scrollTop - clientHeight > 300;
            }"""
        )
        await me.page.evaluate(SHOWN)
        before = await scroll.evaluate("node => node.scrollTop")
        await scroll.evaluate(GROWN)
        await me.page.evaluate(SHOWN)
        assert await scroll.evaluate("node => node.scrollTop") == before
        await me.say("我说一句")
        await me.answered(3)
        await at_end(me)
