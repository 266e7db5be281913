"""What a customer sees while there is no answer yet."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from adapters.web.audience import Audience
from bot.model import Customer
from tests.adapters.web.house import House
from tests.adapters.web.visitor import Visitor, visit, who

pytestmark = pytest.mark.asyncio(loop_scope="session")

LATE = "还在想，请再等一下。"
PREPARING = "正在准备，请稍等。"


async def test_who_waits_long_for_a_first_word_is_told_so_whatever_was_estimated(
    browser: Browser, house: House
) -> None:
    async with visit(browser, house) as me:
        house.gate.clear()
        await me.page.clock.install()
        await me.say("在吗")
        bubble = me.live.locator(".bubble")
        await expect(bubble.locator(".dots")).to_be_visible()
        await me.page.clock.fast_forward(6_000)
        await expect(bubble).to_have_text("")
        await me.page.clock.fast_forward(3_000)
        await expect(bubble).to_have_text(LATE)
        await expect(me.spoken).to_have_text(LATE)
        await expect(bubble.locator(".dots")).to_be_visible()
        await expect(me.stop).to_be_visible()
        await house.adapter.preview(await who(me), "", "有的。")
        await expect(bubble).to_have_text("有的。")
        await me.page.clock.fast_forward(20_000)
        await expect(bubble).to_have_text("有的。")
        house.gate.set()
        await me.answered()


async def test_an_estimate_that_is_told_takes_the_place_of_that_line(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        house.gate.clear()
        await me.page.clock.install()
        await me.say("慢一点")
        await expect(me.live.locator(".notice")).to_be_visible()
        await me.page.clock.fast_forward(9_000)
        await expect(me.live.locator(".notice")).to_contain_text("大约需要20秒")
        await expect(me.live).not_to_contain_text(LATE)
        house.gate.set()
        await me.answered()


async def test_nothing_is_shown_of_an_answer_that_is_over() -> None:
    anna = Customer(channel="web", account="shop", id="anna")
    audience = Audience()
    audience.thinking(anna)
    audience.over(anna)
    audience.preview(anna, "有的。")
    audience.notice(anna, "请等等", seconds=9, ahead=1)
    assert audience.live(anna) == []


async def test_a_tab_that_joins_late_knows_how_long_the_answer_takes_already() -> None:
    now = 100.0
    anna = Customer(channel="web", account="shop", id="anna")
    audience = Audience(clock=lambda: now)
    audience.thinking(anna)
    now += 9
    audience.thinking(anna)  # a second call of the model is the same wait
    assert audience.live(anna) == [{"type": "thinking", "waited": 9.0}]
    audience.over(anna)
    audience.thinking(anna)
    assert audience.live(anna) == [{"type": "thinking", "waited": 0.0}]


async def test_while_the_model_is_loaded_a_message_is_seen_to_be_safe(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        house.preparing = True
        await me.say("在吗")
        bubble = me.live.locator(".bubble")
        await expect(bubble).to_have_text(PREPARING)
        await expect(bubble.locator(".dots")).to_be_visible()
        await expect(me.mine.locator(".state")).to_have_count(0)
        await expect(me.stop).to_be_hidden()
        await me.page.reload()
        await expect(bubble).to_have_text(PREPARING)
        other = await Visitor(await me.page.context.new_page(), house).open()
        await expect(other.live.locator(".bubble")).to_have_text(PREPARING)
        house.gate.clear()
        await house.prepared()
        await expect(bubble).to_have_text("")
        await expect(me.stop).to_be_visible()
        house.gate.set()
        await me.answered()
        await other.answered()


async def test_nothing_is_prepared_for_who_said_nothing_or_has_his_answer(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        house.preparing = True
        await me.page.reload()
        await expect(me.page.locator(".welcome")).to_be_visible()
        await expect(me.live).to_have_count(0)
        house.preparing = False
        await me.say("在吗")
        await me.answered()
        house.preparing = True
        await me.page.reload()
        await me.answered()


async def test_nothing_is_prepared_for_who_talks_with_a_person(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        await me.say("在吗")
        await me.answered()
        await house.store.database.write(lambda c: c.exec_driver_sql("UPDATE conversations SET holder = 'staff'"))
        house.preparing = True
        await me.say("转给你同事了")
        await expect(me.mine).to_have_count(2)
        await expect(me.mine.locator(".state")).to_have_count(0)
        await expect(me.live).to_have_count(0)
        await me.page.reload()
        await expect(me.mine).to_have_count(2)
        await expect(me.live).to_have_count(0)
