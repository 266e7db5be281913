"""Draws the product pictures of the demonstration shop: the training's photos and the shop's catalogue, by one code.

``draw(item, rng, size)`` is a customer's photo (turned, shifted, cluttered, sometimes badly taken),
``catalogue(item)`` the shop's own picture. Everything is vector geometry under one affine map per item, drawn
at twice the size and reduced, so that a 128-pixel training picture and a 512-pixel catalogue picture are the
same drawing. Needs Pillow and numpy only.
"""

from __future__ import annotations

import io
import math
import random
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from inference.demo import scenes, surface
from inference.demo.items import (
    COLOURS,
    DEFECTS,
    KINDS,
    MATERIALS,
    PATTERNS,
    PLACES,
    QUALITIES,
    Item,
    any_item,
)
from inference.demo.scenes import RGB, mix
from inference.demo.shapes import SHAPES, Mark, Point, Shape
from inference.demo.surface import Frame

__all__ = [
    "COLOURS",
    "DEFECTS",
    "KINDS",
    "MATERIALS",
    "PATTERNS",
    "PLACES",
    "QUALITIES",
    "Item",
    "any_item",
    "catalogue",
    "draw",
    "photographed",
]

PALETTE: dict[str, RGB] = {
    "红色": (205, 36, 40), "橙色": (242, 128, 28), "黄色": (244, 212, 42), "绿色": (46, 148, 72), "蓝色": (42, 88, 205),
    "紫色": (130, 62, 172), "黑色": (34, 34, 38), "白色": (240, 240, 238), "粉色": (246, 152, 184),
    "灰色": (134, 136, 140),
}  # fmt: skip


Form = Callable[[random.Random], Shape]


#: What a trace says of a pixel; 0 is the ground.
BODY, DAMAGE = 1, 2


def draw(
    item: Item, rng: random.Random, size: int = 128, *, form: Form | None = None, trace: Image.Image | None = None
) -> Image.Image:
    """A customer's photo of ``item``, ``size`` pixels square. The same item, rng state and size give the same picture.

    ``form`` draws another outline in the item's look: for pictures of what the shop does not sell. Onto ``trace``, a
    black canvas (mode L) of twice the size, is painted where the item and its damage are: :data:`BODY`, :data:`DAMAGE`.
    """
    form = form or SHAPES[item.kind]
    width = size * 2
    colour = _shade_of(item.colour, rng)
    ground, around = scenes.background(rng, width, colour)
    for frame in _places(item, rng, width):
        _paint(ground, trace, form(rng), item, rng, frame, colour, _accent(item, colour, rng), around)
    picture = ground.resize((size, size), rng.choice((Image.Resampling.BOX, Image.Resampling.BICUBIC)))
    return photographed(picture, item.quality, rng)


def catalogue(item: Item, size: int = 512, *, trace: Image.Image | None = None) -> Image.Image:
    """The shop's own picture: one perfect item in the middle of a soft ground; always the same for the same item.

    ``trace``: as for :func:`draw`.
    """
    width, rng = size * 2, random.Random(f"{item.name}/{item.finish}")
    colour = PALETTE[item.colour]
    top = mix((250, 248, 244), colour, 0.10 if item.colour != "白色" else 0.0)
    low = mix((228, 224, 218), colour, 0.16)
    if item.colour in ("白色", "灰色"):
        top, low = (206, 214, 220), (176, 188, 198)
    ground = scenes.gradient(width, top, low)
    frame = Frame(width / 2, width / 2, width * 0.78)
    _paint(ground, trace, SHAPES[item.kind](rng), item, rng, frame, colour, _accent(item, colour, rng), low)
    return ground.resize((size, size), Image.Resampling.BOX)


def _shade_of(name: str, rng: random.Random) -> RGB:
    """The colour under some light: jittered, but never near another colour's name."""
    light = rng.uniform(0.86, 1.08) if name not in ("白色", "灰色") else rng.uniform(0.93, 1.04)
    spread = 7 if name in ("黑色", "白色", "灰色") else 13
    red, green, blue = (max(0, min(255, round(v * light + rng.uniform(-spread, spread)))) for v in PALETTE[name])
    return red, green, blue


def _accent(item: Item, colour: RGB, rng: random.Random) -> RGB:
    """The second colour of a pattern: neutral or a tint of the first, so that the item's colour keeps one name."""
    bright = sum(colour) / 3
    if item.colour == "白色":
        return mix(colour, rng.choice(((40, 44, 60), (96, 104, 120))), 0.8)
    if item.colour == "黑色":
        return mix(colour, (250, 250, 250), rng.uniform(0.6, 0.95))
    if item.colour == "灰色":
        return rng.choice(((248, 248, 248), (52, 54, 60)))
    light = mix(colour, (255, 255, 255), rng.uniform(0.72, 1.0))
    return mix(colour, (20, 20, 30), 0.6) if bright > 150 and rng.random() < 0.6 else light


def _places(item: Item, rng: random.Random, width: int) -> list[Frame]:
    """Where the one, two or three of them lie."""
    angle = math.radians(rng.uniform(-15, 15))
    if rng.random() < 0.08:
        angle += rng.choice((math.pi, math.pi / 2, -math.pi / 2))
    flip, aspect = rng.random() < 0.5, rng.uniform(0.93, 1.07)
    if item.count == 1:
        side = width * rng.uniform(0.74, 1.0)
        slack = (width - side) / 2 + width * 0.02
        x, y = width / 2 + rng.uniform(-slack, slack), width / 2 + rng.uniform(-slack, slack)
        return [Frame(x, y, side, angle, flip=flip, aspect=aspect)]
    side = width * (rng.uniform(0.44, 0.52) if item.count == 2 else rng.uniform(0.4, 0.47))
    spots: list[Point]
    if item.count == 2:
        spots = rng.choice(
            ([(0.27, 0.5), (0.73, 0.5)], [(0.5, 0.27), (0.5, 0.73)], [(0.3, 0.3), (0.7, 0.7)], [(0.7, 0.3), (0.3, 0.7)])
        )
    else:
        spots = rng.choice(([(0.27, 0.28), (0.73, 0.28), (0.5, 0.74)], [(0.5, 0.26), (0.27, 0.73), (0.73, 0.73)],
                            [(0.26, 0.27), (0.74, 0.5), (0.26, 0.75)], [(0.74, 0.25), (0.26, 0.5), (0.74,
                            0.75)]))  # fmt: skip
    wobble = 0.025
    return [
        Frame((x + rng.uniform(-wobble, wobble)) * width, (y + rng.uniform(-wobble, wobble)) * width, side,
              angle + math.radians(rng.uniform(-8, 8)), flip=flip, aspect=aspect)
        for x, y in spots
    ]  # fmt: skip


def _mark(canvas: ImageDraw.ImageDraw, mark: Mark, frame: Frame, fill: RGB | int) -> None:
    points = frame(mark.points)
    if mark.width:
        wide = max(1, round(mark.width * frame.side))
        canvas.line(points, fill=fill, width=wide, joint="curve")
        if wide > 4:  # round ends
            for x, y in (points[0], points[-1]):
                canvas.ellipse([x - wide / 2, y - wide / 2, x + wide / 2, y + wide / 2], fill=fill)
    else:
        canvas.polygon(points, fill=fill)


def _paint(
    ground: Image.Image,
    trace: Image.Image | None,
    shape: Shape,
    item: Item,
    rng: random.Random,
    frame: Frame,
    colour: RGB,
    accent: RGB,
    around: RGB,
) -> None:
    """One item, its shadow and its defect, onto ``ground``: worked out on the part that it covers."""
    canvas, box = ground, _cover(shape, frame, ground.width)
    ground, frame = canvas.crop(box), frame.moved(-box[0], -box[1])
    mask = Image.new("L", ground.size, 0)
    pen = ImageDraw.Draw(mask)
    for part in shape.body:
        pen.polygon(frame(part), fill=255)
    soft = _blurred(mask, frame.side * 0.05)
    whole = mask.copy()
    pen = ImageDraw.Draw(whole)
    for mark in shape.under:
        _mark(pen, mark, frame, 255)
    _shadow(ground, whole, frame.side)
    before = ground.copy() if item.defect == "破洞" else ground
    pen = ImageDraw.Draw(ground)
    for mark in shape.under:
        _mark(pen, mark, frame, surface.tone(colour, mark.tone))

    cloth = Image.new("RGB", ground.size, colour)
    surface.pattern(cloth, item.pattern, rng, frame, accent)
    if item.finish == "织纹":
        surface.weave(cloth, frame, canvas.width, colour)
    # A rounded look: the middle of the blurred outline is bright, its rim dark.
    dark = ImageChops.multiply(cloth, Image.new("RGB", cloth.size, (176, 174, 184)))
    cloth = Image.composite(cloth, dark, soft.point(lambda v: max(0, min(255, (v - 110) * 2))))
    if item.finish == "光泽":
        cloth = surface.gloss(cloth, rng, frame, colour)
    pen = ImageDraw.Draw(cloth)
    for mark in shape.over:
        _mark(pen, mark, frame, surface.tone(colour, mark.tone))
    body = _with_over(mask, shape, frame)
    if trace is not None:
        trace.paste(BODY, box[:2], body)
    if item.defect is not None and item.place is not None:
        damaged = surface.damage(cloth, before, mask, item, rng, frame, colour, around)
        if trace is not None:
            trace.paste(DAMAGE, box[:2], ImageChops.multiply(damaged, body))
    ground.paste(cloth, (0, 0), body)
    pen = ImageDraw.Draw(ground)
    rim = surface.tone(colour, 0.55)
    for part in shape.body:
        points = frame(part)
        pen.line([*points, points[0]], fill=rim, width=max(1, round(frame.side * 0.009)), joint="curve")
    canvas.paste(ground, box[:2])


def _cover(shape: Shape, frame: Frame, width: int) -> tuple[int, int, int, int]:
    """The box of pixels, in multiples of 4 (the blur works on quarters), that the item and its shadow touch."""
    marks = [p for m in (*shape.under, *shape.over) for p in m.points]
    points = frame([p for part in shape.body for p in part] + marks)
    rim = frame.side * 0.13
    low = [max(0, int(min(p[k] for p in points) - rim) // 4 * 4) for k in (0, 1)]
    high = [min(width, int(max(p[k] for p in points) + rim) // 4 * 4 + 4) for k in (0, 1)]
    return low[0], low[1], max(high[0], low[0] + 8), max(high[1], low[1] + 8)


def _with_over(mask: Image.Image, shape: Shape, frame: Frame) -> Image.Image:
    """Filled marks such as a sole reach beyond the body."""
    solid = [m for m in shape.over if not m.width]
    if solid:
        mask = mask.copy()
        pen = ImageDraw.Draw(mask)
        for mark in solid:
            pen.polygon(frame(mark.points), fill=255)
    return mask


def _blurred(mask: Image.Image, radius: float) -> Image.Image:
    """Blurred at a quarter of the size: nobody sees the difference, and it costs a sixteenth."""
    small = mask.resize((mask.width // 4, mask.height // 4), Image.Resampling.BOX)
    return (
        small.filter(ImageFilter.BoxBlur(radius / 4))
        .filter(ImageFilter.BoxBlur(radius / 4))
        .resize(mask.size, Image.Resampling.BILINEAR)
    )


def _shadow(ground: Image.Image, mask: Image.Image, side: float) -> None:
    soft = _blurred(mask, side * 0.035).point(lambda v: v * 90 // 255)
    ground.paste((20, 18, 28), (0, 0), ImageChops.offset(soft, round(side * 0.02), round(side * 0.035)))


def photographed(picture: Image.Image, quality: str, rng: random.Random) -> Image.Image:
    """The camera's part: light, blur, noise, JPEG."""
    size = picture.width
    if quality == "模糊":
        picture = picture.filter(ImageFilter.GaussianBlur(size * rng.uniform(0.03, 0.045)))
    elif rng.random() < 0.25:
        picture = picture.filter(ImageFilter.GaussianBlur(size * rng.uniform(0.0, 0.006)))
    if quality == "太暗":
        picture = picture.point([int(v * k) for k in [rng.uniform(0.1, 0.2)] for v in range(256)] * 3)
    pixels = np.asarray(picture, np.float32)
    noise = np.random.default_rng(rng.getrandbits(32))
    tint = np.array([rng.uniform(0.97, 1.03) for _ in range(3)], np.float32)
    grain = rng.choice((0.0, 0.0, 3.0, 6.0)) if quality != "太暗" else rng.uniform(2, 6)
    pixels = pixels * tint
    if grain:
        pixels = pixels + noise.standard_normal(pixels.shape, np.float32) * grain
    picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    if rng.random() < 0.5:
        packed = io.BytesIO()
        picture.save(packed, "JPEG", quality=rng.randint(55, 92))
        picture = Image.open(packed).convert("RGB")
    return picture
