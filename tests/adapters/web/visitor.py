"""A customer in a real browser: what the tests of the page do and see, named as a person would."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from adapters.web.customers import customer_of
from bot.model import Customer
from tests.adapters.web.house import ROOT, House

#: Milliseconds; far above what is needed, since these machines are busy.
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)

TSHIRT = ROOT / "demo/pictures/examples/tshirt.jpg"
MUG = ROOT / "demo/pictures/examples/mug.jpg"
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
WIDE: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}}

#: Makes a picture in the page itself, as a file that a customer dragged or copied.
_FILE = """
async (type) => {
  const canvas = document.createElement("canvas");
  canvas.width = 320; canvas.height = 200;
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#c33"; pen.fillRect(0, 0, 320, 200);
  pen.fillStyle = "#fff"; pen.fillRect(40, 40, 90, 90);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  const data = new DataTransfer();
  data.items.add(new File([blob], "photo.png", { type: "image/png" }));
  const target = document.querySelector("textarea");
  if (type === "paste") target.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
  else for (const name of type.split(" "))
    target.dispatchEvent(new DragEvent(name, { dataTransfer: data, bubbles: true, cancelable: true }));
}
"""


class Visitor:
    """One tab."""

    def __init__(self, page: Page, house: House) -> None:
        self.page = page
        self.house = house
        #: What the browser complained of, and what it asked the server for.
        self.complaints: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.set_default_timeout(PATIENCE)
        self.input = page.locator("textarea")
        self.mine = page.locator(".message.mine")
        self.theirs = page.locator(".message.theirs:not(.live)")
        self.live = page.locator(".message.live")
        #: What a screen reader reads out.
        self.spoken = page.locator("[aria-live=polite]").last
        self.thumbs = page.locator(".tray .thumb")
        self.send = page.locator("button.send")
        self.stop = page.locator("button.halt")

    def _heard(self, message: ConsoleMessage) -> None:
        # A refused photo or a restarting server is the network's; everything else is ours.
        if (
            message.type == "error"
            and "Failed to load resource" not in message.text
            and "WebSocket" not in message.text
        ):
            self.complaints.append(message.text)

    async def open(self, query: str = "") -> Visitor:
        await self.page.goto(f"{self.house.url}/{query}")
        await expect(self.input).to_be_visible()
        return self

    async def say(self, text: str) -> None:
        await self.input.fill(text)
        await self.input.press("Enter")

    async def attach(self, *files: Path) -> None:
        await self.page.locator("input[type=file][multiple]").set_input_files([str(file) for file in files])

    async def bring(self, how: str) -> None:
        """A picture by «paste», or by the drag events that are named."""
        await self.page.evaluate(_FILE, how)

    async def answered(self, count: int = 1) -> None:
        await expect(self.theirs).to_have_count(count)
        await expect(self.live).to_have_count(0)


@asynccontextmanager
async def customer(browser: Browser, **settings: Any) -> AsyncIterator[BrowserContext]:
    """A browser of one's own: a customer whom nobody knows yet."""
    context = await browser.new_context(**{"viewport": {"width": 1000, "height": 800}, "locale": "zh-CN", **settings})
    try:
        yield context
    finally:
        await context.close()


@asynccontextmanager
async def visit(browser: Browser, house: House, **settings: Any) -> AsyncIterator[Visitor]:
    """A customer with the page open. What the browser complains of fails the test."""
    async with customer(browser, **settings) as context:
        visitor = await Visitor(await context.new_page(), house).open()
        yield visitor
        assert visitor.complaints == []


async def who(visitor: Visitor) -> Customer:
    """The customer that the server knows this tab as."""
    token = await visitor.page.evaluate("JSON.parse(localStorage['shop-chat.token'])")
    return customer_of(token, "shop")
