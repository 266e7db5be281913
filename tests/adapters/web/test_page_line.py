"""The page in a real Chromium while its line is slow or lost, or faster than what the browser keeps."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import Browser, Route, expect

from tests.adapters.web.house import House
from tests.adapters.web.visitor import MUG, TSHIRT, Visitor, visit, who

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: A tab that is closed before it hears that its message was taken: nothing that it kept is dropped.
DEAF = """() => {
  Storage.prototype.removeItem = () => {};
  IDBObjectStore.prototype.delete = function (id) { return this.get(id); };
}"""
#: A browser that finds a photo only when the conversation is on the screen already; ``found`` says that it has.
SLOW = """
const get = IDBObjectStore.prototype.get;
IDBObjectStore.prototype.get = function (id) {
  const told = {};
  const asked = get.call(this, id);
  const tell = () => {
    if (!document.querySelector(".message.theirs")) return setTimeout(tell, 20);
    told.result = asked.result;
    told.onsuccess();
    window.found = told.result instanceof Blob;
  };
  asked.onsuccess = tell;
  return told;
};
"""
#: Whether the browser keeps no photo any more.
NONE_KEPT = """() => new Promise((done) => {
  indexedDB.open("shop-chat").onsuccess = ({ target }) => {
    target.result.transaction("photos").objectStore("photos").count().onsuccess = (count) => {
      target.result.close();
      done(count.target.result === 0);
    };
  };
})"""


async def slow(me: Visitor, bytes_per_second: int) -> None:
    """What goes up goes no faster."""
    devtools = await me.page.context.new_cdp_session(me.page)
    await devtools.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_per_second},
    )


def noise(folder: Path) -> Path:
    """A photo of a few megabytes."""
    file = folder / "noise.jpg"
    Image.effect_noise((1600, 1600), 100).save(file, quality=95)
    return file


async def further(me: Visitor) -> None:
    """Returns once the upload has got on by a percent that is told."""
    veil = me.thumbs.locator(".veil")
    now = await veil.get_attribute("aria-label")
    assert now is not None
    await expect(veil).not_to_have_attribute("aria-label", now)


async def test_a_press_on_remove_outlives_what_goes_up_meanwhile(
    browser: Browser, house: House, tmp_path: Path
) -> None:
    async with visit(browser, house) as me:
        await slow(me, 150_000)
        await me.attach(noise(tmp_path))
        await expect(me.thumbs).to_have_class("thumb up")
        await me.thumbs.locator(".remove").hover()
        await me.page.mouse.down()
        await further(me)
        await me.page.mouse.up()
        await expect(me.thumbs).to_have_count(0)


async def test_the_focus_on_remove_outlives_the_whole_upload(browser: Browser, house: House, tmp_path: Path) -> None:
    async with visit(browser, house) as me:
        await slow(me, 400_000)
        await me.attach(noise(tmp_path))
        await expect(me.thumbs).to_have_class("thumb up")
        remove = me.thumbs.locator(".remove")
        await remove.focus()
        await further(me)
        await expect(remove).to_be_focused()
        await me.page.get_by_role("button", name="English").evaluate("button => button.click()")
        await expect(remove).to_have_attribute("aria-label", "Remove this photo")
        await expect(me.thumbs.locator(".veil")).to_have_attribute("aria-label", re.compile(r"\d% uploaded"))
        await expect(me.thumbs).to_have_class("thumb done")
        await expect(me.thumbs.locator(".veil")).to_have_count(0)
        await expect(remove).to_be_focused()
        await me.page.keyboard.press("Enter")
        await expect(me.thumbs).to_have_count(0)


async def test_a_photo_that_is_removed_goes_up_no_further_and_never_again(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        await me.page.clock.install()
        asked = 0
        held = asyncio.Event()

        async def hold(route: Route) -> None:
            nonlocal asked
            asked += 1
            if asked > 1:
                return await route.continue_()
            await held.wait()
            return await route.abort()

        await me.page.route("**/photos", hold)
        await me.attach(TSHIRT)
        await expect(me.thumbs).to_have_class("thumb up")
        async with me.page.expect_event("requestfailed"):
            await me.page.get_by_role("button", name="去掉这张照片").click()
        held.set()
        await me.page.clock.fast_forward(4_000)  # longer than until a lost one is tried again
        await me.attach(MUG)
        await expect(me.thumbs).to_have_class("thumb done")
        assert asked == 2


async def test_a_photo_that_is_removed_makes_room_for_the_next(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        asked = 0
        held = asyncio.Event()

        async def hold(route: Route) -> None:
            nonlocal asked
            asked += 1
            await (route.continue_() if asked > 2 else held.wait())

        await me.page.route("**/photos", hold)
        await me.attach(TSHIRT, MUG, MUG)
        await expect(me.thumbs.nth(2)).to_have_class("thumb waiting")
        await me.page.get_by_role("button", name="去掉这张照片").first.click()
        await expect(me.thumbs.nth(1)).to_have_class("thumb done")
        await expect(me.thumbs.nth(0)).to_have_class("thumb up")
        held.set()


async def test_what_would_be_lost_without_a_line_cannot_be_pressed(browser: Browser, house: House) -> None:
    async with visit(browser, house) as me:
        await me.say("旧的")
        await me.answered()
        fresh = me.page.get_by_role("button", name="新对话")
        start = me.page.get_by_role("button", name="开始")
        await fresh.click()
        await expect(start).to_be_enabled()
        await house.stop()
        await expect(start).to_be_disabled()
        await me.page.get_by_role("button", name="取消").click()
        await expect(fresh).to_be_disabled()
        await house.start()
        await expect(fresh).to_be_enabled()
        house.gate.clear()
        await me.say("还没答完")
        await expect(me.stop).to_be_enabled()
        await house.stop()
        await expect(me.stop).to_be_disabled()
        await house.start()
        await me.answered(2)
        await fresh.click()
        await start.click()
        await expect(me.page.locator(".welcome")).to_be_visible()
        await expect(me.mine).to_have_count(0)


async def test_a_message_whose_row_is_faster_than_the_browsers_store_stays_where_it_was_said(
    browser: Browser, house: House
) -> None:
    async with visit(browser, house) as me:
        await me.attach(TSHIRT)
        await expect(me.thumbs).to_have_class("thumb done")
        await me.page.evaluate(DEAF)
        await me.say("这是什么")
        await me.answered()
        await me.page.context.add_init_script(SLOW)
        await me.page.reload()
        await me.page.wait_for_function("() => window.found")
        first, _ = await me.page.locator(".message").all()
        await expect(first).to_have_class("message mine")
        await me.page.wait_for_function(NONE_KEPT)
        await me.say("第二句")
        await me.answered(2)
        assert len(await house.store.history(await who(me))) == 4
