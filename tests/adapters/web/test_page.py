"""The page in a real Chromium, against the real server and the real store."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import Browser, Route, expect

from adapters.web import read_examples
from tests.adapters.web.house import ROOT, SHOP, House, opened
from tests.adapters.web.visitor import MUG, PHONE, TSHIRT, WIDE, Visitor, customer, visit, who

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Sends nothing, as an input method does while a candidate is chosen.
COMPOSING = """
(init) => document.querySelector("textarea").dispatchEvent(
  new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true, ...init }))
"""


async def rows(visitor: Visitor) -> list[tuple[str, str]]:
    return [(said.turn.speaker, said.turn.text) for said in await visitor.house.store.history(await who(visitor))]


# ---------------------------------------------------------------------------------------------- saying


async def test_words_are_sent_and_answered(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        await me.say("在吗")
        await me.answered()
        await expect(me.mine.locator(".bubble")).to_have_text("在吗")
        await expect(me.theirs.locator(".bubble")).to_have_text("您说的是“在吗”。我看看。")
        await expect(me.input).to_have_value("")
        assert await rows(me) == [("customer", "在吗"), ("bot", "您说的是“在吗”。我看看。")]


@pytest.mark.parametrize("how", ["file", "paste", "dragenter dragover drop"])
async def test_a_photo_is_sent(browser: Browser, house: House, how: str) -> None:
    async with visit(browser, house) as me:
        await (me.attach(TSHIRT) if how == "file" else me.bring(how))
        await expect(me.thumbs).to_have_class("thumb done")
        await me.input.press("Enter")
        await me.answered()
        await expect(me.mine.locator(".photo img")).to_have_count(1)
        await expect(me.mine.locator(".photo img")).to_have_js_property("complete", True)
        [mine, _] = await house.store.history(await who(me))
        assert len(mine.turn.photos) == 1


async def test_several_photos_and_words_are_one_message(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        await me.attach(TSHIRT, MUG)
        await me.say("这两件有货吗")
        await me.answered()
        [mine, _] = await house.store.history(await who(me))
        assert len(mine.turn.photos) == 2
        assert mine.turn.text == "这两件有货吗"


async def test_the_page_shows_where_to_drop(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        zone = me.page.locator(".dropzone")
        await expect(zone).to_be_hidden()
        await me.bring("dragenter")
        await expect(zone).to_be_visible()
        await me.bring("dragleave")
        await expect(zone).to_be_hidden()


@pytest.mark.parametrize("init", [{"isComposing": True}, {"keyCode": 229}, {"shiftKey": True}])
async def test_enter_of_an_input_method_and_shift_enter_never_send(
    browser: Browser, house: House, init: dict[str, object]
) -> None:
    async with visit(browser, house) as me:
        await me.input.fill("还没写完")
        await me.page.evaluate(COMPOSING, init)
        await expect(me.input).to_have_value("还没写完")
        await expect(me.mine).to_have_count(0)
        await me.page.evaluate(COMPOSING, {})
        await expect(me.mine).to_have_count(1)


async def test_shift_enter_breaks_the_line_and_the_input_grows_to_five(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        field = me.page.locator(".field")
        one = await field.evaluate("node => node.offsetHeight")
        await me.input.type("第一行")
        await me.input.press("Shift+Enter")
        await me.input.type("第二行")
        await expect(me.input).to_have_value("第一行\n第二行")
        two = await field.evaluate("node => node.offsetHeight")
        await me.input.fill("行\n" * 12)
        most = await field.evaluate("node => node.offsetHeight")
        assert (one, two, most) == (46, 70, 46 + 4 * 24)
        # Whole lines are seen, clear of the corners' curve and of the button beside them.
        assert await me.input.evaluate("node => node.clientHeight") == 5 * 24
        gap = "document.querySelector('.send').getBoundingClientRect().left - node.getBoundingClientRect().right"
        assert await field.evaluate(f"node => {gap}") >= 8


async def test_words_of_customers_and_shop_are_never_markup(browser: Browser, tmp_path: Path) -> None:
    evil = "<img src=x onerror=\"document.title='hacked'\"><b>粗</b>"
    shop = replace(SHOP, name=f"店{evil}", contact=evil, note={"zh": evil, "en": evil})
    async with opened(tmp_path, shop=shop) as house, visit(browser, house) as me:
        await me.say(evil)
        await me.answered()
        assert evil in (await me.theirs.locator(".bubble").text_content() or "")
        assert await me.mine.locator(".bubble").text_content() == evil
        assert await me.page.locator("shop-chat b, shop-chat img[src=x]").count() == 0
        assert "hacked" not in (await me.page.title()).replace(evil, "")


# ---------------------------------------------------------------------------------------------- answers


async def test_an_answer_appears_sentence_by_sentence_and_its_row_takes_the_place_without_a_jump(
    browser: Browser, house: House
) -> None:
    async with visit(browser, house) as me:
        await me.say("在吗")
        await me.answered()
        house.gate.clear()
        await me.say("再问一句")
        await expect(me.live.locator(".dots")).to_be_visible()
        await house.adapter.preview(await who(me), "", "第一句。")
        await expect(me.live.locator(".bubble")).to_have_text("第一句。")
        await house.adapter.preview(await who(me), "", "您说的是“再问一句”。我看看。")
        await expect(me.live.locator(".bubble")).to_have_text("您说的是“再问一句”。我看看。")
        before = await me.live.bounding_box()
        house.gate.set()
        await me.answered(2)
        assert await me.theirs.last.bounding_box() == before


async def test_a_slow_answer_says_how_long_and_says_so_when_it_takes_longer(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        house.gate.clear()
        await me.page.clock.install()
        await me.say("慢一点")
        notice = me.live.locator(".notice")
        await expect(notice).to_contain_text("大约需要20秒")
        await expect(me.spoken).to_contain_text("大约需要20秒")
        await expect(notice).not_to_contain_text("大约还要")  # it would say the same twice
        await expect(notice.locator(".ring")).to_be_visible()
        await me.page.clock.fast_forward(6_000)
        await expect(notice).to_contain_text("大约还要")
        await me.page.clock.fast_forward(15_000)
        await expect(notice).to_contain_text("比预想的久一点")
        house.gate.set()
        await me.answered()


async def test_the_estimate_is_gone_when_words_come(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        house.gate.clear()
        await me.say("慢一点")
        await expect(me.live.locator(".notice")).to_be_visible()
        await house.adapter.preview(await who(me), "", "看到了。")
        await expect(me.live.locator(".notice")).to_have_count(0)
        await expect(me.live.locator(".bubble")).to_have_text("看到了。")


async def test_stop_ends_an_answer(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        house.gate.clear()
        await me.say("在吗")
        await expect(me.live.locator(".dots")).to_be_visible()
        await house.adapter.preview(await who(me), "", "有的。")
        await me.stop.click()
        await expect(me.live.locator(".foot")).to_have_text("已停止")
        await expect(me.stop).to_be_hidden()
        await expect(me.live.locator(".bubble")).to_have_text("有的。")
        house.gate.set()
        await me.say("换一个问")
        await me.answered()
        assert len(house.stopped) == 1


async def test_while_an_answer_is_made_words_can_still_be_sent(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        house.gate.clear()
        await me.say("在吗")
        await expect(me.stop).to_be_visible()
        await me.input.fill("还有一句")
        await expect(me.send).to_be_visible()
        await me.send.click()
        await expect(me.mine).to_have_count(2)
        house.gate.set()
        await me.answered(2)


async def test_products_are_cards_with_the_price_of_the_data(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        await me.say("货有哪些")
        await me.answered()
        cards = me.page.locator(".card")
        await expect(cards).to_have_count(2)
        await expect(cards.nth(0)).to_contain_text("¥89")
        await expect(cards.nth(0)).to_contain_text("有货 12 件")
        await expect(cards.nth(1)).to_contain_text("¥35.5")
        await expect(cards.nth(1)).to_contain_text("暂时缺货")
        await cards.nth(0).get_by_role("button").click()
        await expect(me.input).to_have_value("红色条纹T恤多少钱？")
        await expect(me.input).to_be_focused()


async def test_a_question_that_is_proposed_never_replaces_a_draft(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        await me.say("货有哪些")
        await me.answered()
        ask = me.page.locator(".card").nth(0).get_by_role("button")
        await me.input.fill("我要大号的\n\n快一点 ")
        for _ in range(2):
            await ask.click()
            await expect(me.input).to_have_value("我要大号的\n\n快一点\n红色条纹T恤多少钱？")
        long = "长" * 3995
        await me.input.fill(long)
        await ask.click()
        await expect(me.input).to_have_value(long)  # one character more than a message may have is none


async def test_a_choice_is_tapped_once_and_fades(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        await me.say("选一个")
        await me.answered()
        chip = me.page.get_by_role("button", name="换一件")
        box = await chip.bounding_box()
        assert box is not None
        assert box["height"] >= 44
        await chip.click()
        await expect(me.theirs).to_have_count(2)
        await expect(chip).to_be_disabled()


async def test_how_an_answer_came_to_be_is_folded_under_it(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        await me.say("在吗")
        await me.answered()
        how = me.theirs.locator("details")
        await expect(how.locator("summary")).to_have_text("首字 0.4 s · 全部 1.2 s")
        await expect(how).not_to_have_attribute("open", "")
        await how.locator("summary").click()
        await expect(how).to_contain_text("复用 739/755 词元")
        await expect(how).to_contain_text("资料 2")
        await expect(how).to_contain_text("来源 模型 demo")


async def test_a_public_page_shows_neither_window_nor_workings(browser: Browser, tmp_path: Path) -> None:
    async with (
        opened(tmp_path, shop=replace(SHOP, demonstration=False)) as house,
        visit(browser, house, **WIDE) as me,
    ):
        await me.say("在吗")
        await me.answered()
        await expect(me.page.locator("details, .window, .note")).to_have_count(0)


# ---------------------------------------------------------------------------------------------- coming back


async def test_a_reload_keeps_history_and_draft(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        await me.attach(TSHIRT)
        await me.say("这件多少钱")
        await me.answered()
        await me.attach(MUG)
        await me.input.fill("还有这个杯子")
        await expect(me.thumbs).to_have_class("thumb done")
        await me.page.reload()
        await expect(me.input).to_have_value("还有这个杯子")
        await expect(me.thumbs).to_have_count(1)
        await expect(me.mine).to_have_count(1)
        await expect(me.mine.locator(".photo img")).to_have_js_property("complete", True)
        assert await me.mine.locator(".photo img").evaluate("node => node.naturalWidth") > 0
        await me.input.press("Enter")
        await me.answered(2)
        assert len(await rows(me)) == 4


async def test_a_server_that_is_killed_in_mid_answer_loses_and_doubles_nothing(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        await me.say("第一句")
        await me.answered()
        house.gate.clear()
        await me.say("写到一半")
        await expect(me.live.locator(".dots")).to_be_visible()
        await house.adapter.preview(await who(me), "", "您说的是")
        await expect(me.live.locator(".bubble")).to_have_text("您说的是")
        await house.stop()
        await me.say("断了也要送到")
        await expect(me.mine.last.locator(".state")).to_be_visible()
        await house.start()
        await me.answered(3)
        await expect(me.mine).to_have_count(3)
        await expect(me.page.locator(".state")).to_have_count(0)
        said = await rows(me)
        assert sorted(text for speaker, text in said if speaker == "customer") == sorted(
            ["第一句", "写到一半", "断了也要送到"]
        )
        assert len(said) == 6


async def test_what_is_written_offline_is_sent_later(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        await me.say("在吗")
        await me.answered()
        await me.page.context.set_offline(True)
        await expect(me.page.locator(".banner")).to_contain_text("网络断开")
        await me.say("断网时写的")
        await me.attach(TSHIRT)
        await me.say("照片也是")
        await expect(me.mine.nth(1).locator(".state")).to_contain_text("连上网后自动发")
        await me.page.context.set_offline(False)
        await me.answered(3)
        await expect(me.page.locator(".banner")).to_be_hidden()
        assert [text for speaker, text in await rows(me) if speaker == "customer"] == ["在吗", "断网时写的", "照片也是"]


async def test_what_was_not_sent_survives_a_reload(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        await me.say("在吗")
        await me.answered()
        await house.stop()
        await me.attach(TSHIRT)
        await me.say("发不出去的照片")
        await expect(me.mine).to_have_count(2)
        page = me.page.url
        await house.start()
        await me.page.goto(page)
        await me.answered(2)
        await expect(me.mine).to_have_count(2)
        [*_, last, _] = await house.store.history(await who(me))
        assert (last.turn.text, len(last.turn.photos)) == ("发不出去的照片", 1)


async def test_two_tabs_of_a_customer_show_the_same(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        other = await Visitor(await me.page.context.new_page(), house).open()
        await me.say("从第一个窗口")
        await other.answered()
        await other.say("从第二个窗口")
        await me.answered(2)
        assert await me.mine.all_text_contents() == await other.mine.all_text_contents()
        assert len(await rows(me)) == 4


async def test_two_tabs_opened_at_once_are_one_customer(browser: Browser, house: House) -> None:
    async with customer(browser) as context:
        tabs = [Visitor(await context.new_page(), house) for _ in range(2)]
        await asyncio.gather(*(each.open() for each in tabs))
        await tabs[0].say("我们是一个人")
        await tabs[1].answered()


async def test_a_new_conversation_is_asked_for_and_empty(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        await me.say("旧的")
        await me.answered()
        await me.page.get_by_role("button", name="新对话").click()
        await me.page.get_by_role("button", name="取消").click()
        await expect(me.mine).to_have_count(1)
        await me.page.get_by_role("button", name="新对话").click()
        await me.page.get_by_role("button", name="开始").click()
        await expect(me.page.locator(".welcome")).to_be_visible()
        await expect(me.mine).to_have_count(0)
        await me.say("新的")
        await me.answered()
        await me.page.reload()
        await expect(me.mine.locator(".bubble")).to_have_text("新的")


# ---------------------------------------------------------------------------------------------- photos


async def test_a_broken_photo_says_why_and_can_be_removed(browser: Browser, house: House, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(TSHIRT.read_bytes()[:900])
    async with visit(browser, house) as me:
        await me.attach(broken)
        await expect(me.page.locator(".hint")).to_contain_text("打不开")
        await expect(me.send).to_be_disabled()
        await me.page.get_by_role("button", name="去掉这张照片").click()
        await expect(me.thumbs).to_have_count(0)
        await expect(me.page.locator(".hint")).to_have_text("")


async def test_a_photo_that_the_line_lost_is_uploaded_again(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        lost = 0

        async def lose(route: Route) -> None:
            nonlocal lost
            lost += 1
            await (route.abort() if lost == 1 else route.continue_())

        await me.page.route("**/photos", lose)
        await me.attach(TSHIRT)
        await expect(me.page.locator(".hint")).to_contain_text("没有传上来")
        await me.page.get_by_role("button", name="重新上传").click()
        await expect(me.thumbs).to_have_class("thumb done")
        await me.say("这件")
        await me.answered()


async def test_a_message_whose_photo_is_refused_can_be_discarded(
    browser: Browser, house: House, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(TSHIRT.read_bytes()[:900])
    async with visit(browser, house) as me:
        held = asyncio.Event()

        async def hold(route: Route) -> None:
            await held.wait()
            await route.continue_()

        await me.page.route("**/photos", hold)
        await me.attach(broken)
        await me.say("看看这张")
        await expect(me.mine.locator(".state")).to_contain_text("照片上传中")
        held.set()
        await expect(me.mine.locator(".state.failed")).to_contain_text("打不开")
        await me.page.get_by_role("button", name="删除").click()
        await expect(me.mine).to_have_count(0)
        await me.say("不发照片了")
        await me.answered()


async def test_only_pictures_and_no_more_than_the_bot_reads_are_taken(
    browser: Browser, house: House, tmp_path: Path
) -> None:
    words = tmp_path / "words.txt"
    words.write_text("words", encoding="utf-8")
    async with visit(browser, house) as me:
        await me.attach(words)
        await expect(me.page.locator(".hint")).to_have_text("只能发图片。")
        await me.attach(*[TSHIRT] * 5)
        await expect(me.thumbs).to_have_count(4)
        await expect(me.page.locator(".hint")).to_have_text("一次最多 4 张照片。")


async def test_a_photo_too_big_is_refused_before_it_is_sent(browser: Browser, tmp_path: Path) -> None:
    async with (
        opened(tmp_path, max_upload_bytes=1000) as house,
        visit(browser, house) as me,
    ):
        await me.attach(TSHIRT)
        await expect(me.page.locator(".hint")).to_contain_text("太大")


async def test_a_photo_of_too_many_pixels_says_what_to_do_and_is_not_tried_again(
    browser: Browser, house: House, tmp_path: Path
) -> None:
    huge = tmp_path / "huge.png"
    Image.new("1", (8000, 8000)).save(huge)
    async with visit(browser, house) as me:
        await me.attach(huge)
        await expect(me.page.locator(".hint")).to_have_text("这张图片像素太多，请缩小或截图后再发。")
        await expect(me.send).to_be_disabled()
        await expect(me.page.get_by_role("button", name="重新上传")).to_have_count(0)


@pytest.mark.parametrize("size", [(200, 1000), (100, 2000), (2000, 100)])
async def test_a_photo_is_shown_in_its_true_shape(
    browser: Browser, house: House, tmp_path: Path, size: tuple[int, int]
) -> None:
    odd = tmp_path / "odd.png"
    Image.new("RGB", size, "red").save(odd)
    async with visit(browser, house) as me:
        for number, files in enumerate(([odd], [odd, TSHIRT]), 1):
            await me.attach(*files)
            await me.input.press("Enter")
            await me.answered(number)
            image = me.mine.nth(number - 1).locator(".photo img").first
            await expect(image).to_have_js_property("complete", True)
            width, height = await image.evaluate("node => [node.offsetWidth, node.offsetHeight]")
            assert abs(width - height * size[0] / size[1]) <= max(1, size[0] / size[1])
            button = await image.evaluate("node => [node.parentNode.offsetWidth, node.parentNode.offsetHeight]")
            assert min(button) >= 44


async def test_zoom_by_keyboard_and_back_to_where_one_was(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        await me.attach(TSHIRT, MUG)
        await me.input.press("Enter")
        await me.answered()
        await me.mine.locator(".photo").first.focus()
        await me.page.keyboard.press("Enter")
        zoom = me.page.locator("dialog.zoom")
        await expect(zoom).to_be_visible()
        await expect(zoom.locator(".count")).to_have_text("第 1 张，共 2 张")
        await me.page.keyboard.press("ArrowRight")
        await expect(zoom.locator(".count")).to_have_text("第 2 张，共 2 张")
        await me.page.keyboard.press("ArrowRight")
        await expect(zoom.locator(".count")).to_have_text("第 2 张，共 2 张")
        for _ in range(8):  # the focus cannot leave
            await me.page.keyboard.press("Tab")
            inside = "document.activeElement === document.body || !!document.activeElement.closest('dialog.zoom')"
            assert await me.page.evaluate(inside)
        await me.page.keyboard.press("Escape")
        await expect(zoom).to_be_hidden()
        await expect(me.mine.locator(".photo").first).to_be_focused()


async def test_zoom_by_swipe_and_wheel(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        await me.attach(TSHIRT, MUG)
        await me.input.press("Enter")
        await me.answered()
        await me.mine.locator(".photo").first.click()
        count, mouse = me.page.locator("dialog.zoom .count"), me.page.mouse
        await mouse.move(500, 400)
        await mouse.down()
        await mouse.move(300, 405, steps=4)
        await mouse.up()
        await expect(count).to_have_text("第 2 张，共 2 张")
        await mouse.move(500, 400)
        await mouse.wheel(0, -300)
        assert "scale(2.7" in await me.page.locator("dialog.zoom img").evaluate("node => node.style.transform")
        await mouse.down()
        await mouse.move(300, 405, steps=4)  # moves the photo, does not turn
        await mouse.up()
        await expect(count).to_have_text("第 2 张，共 2 张")


# ---------------------------------------------------------------------------------------------- reading


#: A reader scrolls until he is there: what grows in the very moment of a scroll takes him along once.
HELD_AT_100 = """() => {
  const node = document.querySelector(".scroll");
  window.held = node.scrollTop === 100 ? (window.held || 0) + 1 : 0;
  node.scrollTop = 100;
  return window.held > 3;
}"""


async def test_a_reader_of_old_messages_is_not_moved(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        for i in range(2):
            await me.say(f"长一点{i}")
            await me.answered(i + 1)
        house.gate.clear()
        await me.say("长的还有吗")
        await expect(me.mine).to_have_count(3)
        scroll = me.page.locator(".scroll")
        await me.page.wait_for_function(HELD_AT_100)
        house.gate.set()
        await me.answered(3)
        latest = me.page.locator("button.latest")
        await expect(latest).to_be_visible()
        assert await scroll.evaluate("node => node.scrollTop") == 100
        await latest.click()
        await expect(latest).to_be_hidden()
        await expect(me.theirs.last.locator("summary")).to_be_in_viewport()


async def test_times_are_told_only_after_a_pause(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        await me.say("在吗")
        await me.answered()
        await me.say("还在吗")
        await me.answered(2)
        await expect(me.page.locator(".time")).to_have_count(1)
        await expect(me.page.locator(".time")).to_contain_text("今天")


async def test_a_new_answer_is_read_out_once(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        await me.say("在吗")
        await me.answered()
        await expect(me.spoken).to_have_text("您说的是“在吗”。我看看。")
        await expect(me.page.locator(".scroll")).to_have_attribute("aria-live", "off")


async def test_the_language_changes_at_once_and_stays(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        await me.input.fill("draft")
        await me.page.get_by_role("button", name="English").click()
        await expect(me.page.locator("html")).to_have_attribute("lang", "en")
        await expect(me.page.locator(".welcome h2")).to_contain_text("Hello")
        await expect(me.input).to_have_attribute("placeholder", "Ask, or send a photo")
        await expect(me.input).to_have_value("draft")
        house.gate.clear()
        await me.input.press("Enter")
        await expect(me.mine).to_have_count(1)
        await me.page.reload()
        await expect(me.send).to_have_attribute("aria-label", "Send")
        [event] = await house.store.events(await who(me))
        assert event.language == "en"
        house.gate.set()
        await me.answered()


async def test_everything_can_be_done_with_the_keyboard(browser: Browser, tmp_path: Path) -> None:
    shop = replace(SHOP, examples=read_examples(ROOT / "demo"))
    async with opened(tmp_path, shop=shop) as house, visit(browser, house) as me:
        reached = []
        await expect(me.page.get_by_role("button", name="新对话")).to_be_enabled()
        await me.page.evaluate("document.activeElement.blur()")
        for _ in range(24):
            await me.page.keyboard.press("Tab")
            reached.append(
                await me.page.evaluate(
                    "(document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent).trim()"
                )
            )
        assert {"English", "新对话", "满多少包邮？", "发照片", "您的消息"} <= set(reached)
        assert any("有破损吗" in name for name in reached)
        question = me.page.get_by_role("button", name="可以退换吗？")
        await question.focus()
        await me.page.keyboard.press("Enter")
        await me.answered()
        await expect(me.mine.locator(".bubble")).to_have_text("可以退换吗？")
        await expect(me.input).to_be_focused()
        await me.say("选一个")
        await me.answered(2)
        await me.page.get_by_role("button", name="换一件").focus()
        await me.page.keyboard.press("Enter")
        await me.answered(3)
        await expect(me.input).to_be_focused()


async def test_an_example_shows_the_whole_idea_in_one_tap(browser: Browser, tmp_path: Path) -> None:
    shop = replace(SHOP, examples=read_examples(ROOT / "demo"))
    async with opened(tmp_path, shop=shop) as house, visit(browser, house) as me:
        await expect(me.page.locator(".example")).to_have_count(6)
        await expect(me.page.locator(".note")).to_have_text(SHOP.note["zh"])
        await me.page.locator(".example").first.click()
        await me.answered()
        [mine, _] = await house.store.history(await who(me))
        assert len(mine.turn.photos) == 1
        assert mine.turn.text


async def test_on_a_phone_a_tap_on_a_question_opens_no_keyboard(browser: Browser, house: House) -> None:
    async with visit(browser, house, **PHONE) as me:
        await me.page.get_by_role("button", name="可以退换吗？").tap()
        await me.answered()
        await expect(me.input).not_to_be_focused()


async def test_the_usual_label_is_told_in_the_readers_language_and_a_shops_own_as_it_is(
    browser: Browser, tmp_path: Path
) -> None:
    for own, label in (("AI 客服", "AI assistant"), ("小满机器人", "小满机器人")):
        async with (
            opened(tmp_path / label, shop=replace(SHOP, ai_label=own)) as house,
            visit(browser, house) as me,
        ):
            await expect(me.page.locator("header .label")).to_have_text(own)
            await me.page.get_by_role("button", name="English").click()
            await expect(me.page.locator("header .label")).to_have_text(label)
            await expect(me.page.locator(".welcome h2")).to_have_text(f"Hello, this is the {label} of 小满杂货.")
            assert await me.page.title() == f"小满杂货 · {label}"


async def test_a_shops_name_is_not_broken_between_lines(browser: Browser, tmp_path: Path) -> None:
    shop = replace(SHOP, note={"zh": "字" * 20 + "小满杂货" + "字" * 30, "en": "x"})
    async with opened(tmp_path, shop=shop) as house, visit(browser, house, **PHONE) as me:
        for start in range(24):
            note = me.page.locator(".note")
            await note.evaluate("(node, text) => (node.firstChild.data = text)", "字" * start)
            assert await note.locator(".whole").evaluate("node => node.offsetHeight") < 30


# ---------------------------------------------------------------------------------------------- sizes


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_phone_needs_no_sideways_scrolling_and_thumbs_find_everything(
    browser: Browser, tmp_path: Path, scheme: str
) -> None:
    shop = replace(SHOP, examples=read_examples(ROOT / "demo"), contact="x" * 80)
    async with (
        opened(tmp_path, shop=shop, most_photos=7) as house,
        visit(browser, house, color_scheme=scheme, **PHONE) as me,
    ):
        await no_overflow(me)
        await thumbs_fit(me)
        for i, text in enumerate(("货有哪些", "选一个", "长" + "w" * 300), 1):
            await me.say(text)
            await me.answered(i)
            await no_overflow(me)
        for card in await me.page.locator(".card").all():
            name, ask = await card.locator(".what").bounding_box(), await card.locator(".pill").bounding_box()
            assert name is not None
            assert ask is not None
            assert ask["x"] >= name["x"] + name["width"]  # beside its words, not below them
        await me.attach(*[TSHIRT] * 7)
        await expect(me.page.locator(".thumb.done")).to_have_count(7)
        await no_overflow(me)
        await me.input.press("Enter")
        await me.answered(4)
        await no_overflow(me)
        await thumbs_fit(me)


async def no_overflow(me: Visitor) -> None:
    too_wide = await me.page.evaluate(
        """() => [...document.querySelectorAll("html, .scroll, header, .composer")]
          .filter((node) => node.scrollWidth > node.clientWidth).map((node) => node.className || node.tagName)"""
    )
    assert too_wide == []


async def thumbs_fit(me: Visitor) -> None:
    too_small = await me.page.evaluate(
        """() => [...document.querySelectorAll("button, summary")].filter((node) => node.offsetParent)
          .map((node) => [node.textContent || node.ariaLabel, node.offsetWidth, node.offsetHeight])
          .filter(([, width, height]) => width < 44 || height < 44)"""
    )
    assert too_small == []


CONTRAST = """
() => {
  const channels = (colour) => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const colour = channels(getComputedStyle(node).backgroundColor);
      if (colour[3] > 200) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text; (text = walker.nextNode()); ) {
    const node = text.parentElement;
    if (!text.data.trim() || !node.checkVisibility() || node.closest(".hidden, :disabled, noscript")) continue;
    const [a, b] = [light(channels(getComputedStyle(node).color)), light(ground(node))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) found.push([text.data.trim().slice(0, 20), ratio.toFixed(2)]);
  }
  return found;
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_word_stands_out_from_its_ground(browser: Browser, tmp_path: Path, scheme: str) -> None:
    shop = replace(SHOP, examples=read_examples(ROOT / "demo"))
    async with opened(tmp_path, shop=shop) as house, visit(browser, house, color_scheme=scheme, **WIDE) as me:
        await expect(me.page.locator(".good").first).to_be_visible()
        assert await me.page.evaluate(CONTRAST) == []
        await me.say("货的价钱")
        await me.answered()
        await me.page.locator("summary").click()
        assert await me.page.evaluate(CONTRAST) == []


# ---------------------------------------------------------------------------------------------- the window


async def test_the_window_shows_the_shelf_and_the_way_of_the_last_message(browser: Browser, house: House) -> None:
    async with visit(browser, house, **WIDE) as me:
        window = me.page.locator(".window")
        await expect(window.locator(".good").nth(39)).to_be_visible()
        await me.say("这个价多少")
        await me.answered()
        await expect(window.locator(".way li")).to_have_count(6)
        await expect(window.locator(".way")).to_contain_text("0.3 s")
        await expect(window.locator(".way")).to_contain_text("资料里没有的价格")
        await expect(window.locator(".way")).to_contain_text("红色条纹T恤 89元")


async def test_another_attempt_is_told_with_its_reason_and_nothing_of_the_shelf_moves(
    browser: Browser, house: House
) -> None:
    async with visit(browser, house, **WIDE) as me:
        good, way = me.page.locator(".good").nth(2), me.page.locator(".way")
        await expect(good).to_be_visible()
        before = await good.bounding_box()
        await me.say("在吗")
        await me.answered()
        await expect(way.locator(".attempt")).to_have_count(0)
        await me.say("再试一次")
        await me.answered(2)
        await expect(way.locator(".attempt")).to_have_text(["第 2 次尝试，上一次因为：说了又说的话"])
        await expect(way.locator("li")).to_have_count(6 + 2 + 4)
        assert await good.bounding_box() == before
        await expect(way).to_be_in_viewport(ratio=0.95)


async def test_times_have_one_unit_for_one_length(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        told = await me.page.evaluate(
            """async (all) => {
              const { duration } = await import(document.querySelector("link[href$='/words.js']").href);
              return all.map(duration);
            }""",
            [0, 0.0994, 0.0996, 0.1, 1.25, 59.94, 59.96, 65, 119.7],
        )
    assert told == ["0 ms", "99 ms", "0.1 s", "0.1 s", "1.3 s", "59.9 s", "1 min 0 s", "1 min 5 s", "2 min 0 s"]


async def test_a_product_can_be_asked_for_shown_and_dragged(browser: Browser, house: House) -> None:
    async with visit(browser, house, **WIDE) as me:
        good = me.page.locator(".good").first
        await good.locator(".pill").click()
        await expect(me.input).to_have_value("红色连衣裙多少钱？")
        await me.input.fill("")
        await good.locator(".pick").click()
        await expect(me.thumbs).to_have_class("thumb done")
        await expect(me.input).to_have_value("这件多少钱？")
        await me.page.locator(".good").nth(1).locator(".pick").drag_to(me.page.locator(".scroll"))
        await expect(me.page.locator(".thumb.done")).to_have_count(2)


async def test_plain_hides_the_window(browser: Browser, house: House) -> None:
    async with visit(browser, house, **WIDE) as me:
        await me.open("?plain")
        await expect(me.page.locator(".window")).to_have_count(0)


async def test_the_page_is_small(browser: Browser, house: House) -> None:
    """How fast it is depends on the machine; what it asks for does not."""
    async with visit(browser, house) as me:
        requests, size = await me.page.evaluate(
            """() => {
              const all = performance.getEntriesByType("resource");
              return [all.length, all.reduce((sum, entry) => sum + entry.transferSize, 0)];
            }"""
        )
        assert await me.page.evaluate("performance.getEntriesByName('interactive').length") == 1
    assert requests <= 20
    assert size < 150_000
