"""What an item's surface shows: pattern, weave, gloss, and what was done to it."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from inference.demo.items import Item
from inference.demo.scenes import RGB, mix
from inference.demo.shapes import Point


class Frame:
    """Unit square → canvas: turn by ``angle`` (radians), scale to ``side`` pixels, put the middle at (x, y)."""

    def __init__(
        self, x: float, y: float, side: float, angle: float = 0.0, *, flip: bool = False, aspect: float = 1.0
    ) -> None:
        self.side, self.angle = side, angle
        cos, sin, wide, high = math.cos(angle), math.sin(angle), side * aspect, side / aspect
        sign = -1.0 if flip else 1.0
        self._a, self._b, self._x = cos * wide * sign, -sin * high, x
        self._c, self._d, self._y = sin * wide * sign, cos * high, y

    def moved(self, dx: float, dy: float) -> Frame:
        other = copy.copy(self)
        other._x, other._y = self._x + dx, self._y + dy
        return other

    def __call__(self, points: Sequence[Point]) -> list[Point]:
        a, b, c, d = self._a, self._b, self._c, self._d
        return [(a * (u - 0.5) + b * (v - 0.5) + self._x, c * (u - 0.5) + d * (v - 0.5) + self._y) for u, v in points]


def tone(colour: RGB, tone: float | RGB) -> RGB:
    """A seam must show on black as well: there «darker» becomes «lighter»."""
    if isinstance(tone, tuple):
        return tone
    if sum(colour) < 160:
        return mix(colour, (255, 255, 255), (1 - tone) * 0.5)
    return mix((0, 0, 0), colour, tone)


def pattern(cloth: Image.Image, pattern: str, rng: random.Random, frame: Frame, accent: RGB) -> None:
    pen = ImageDraw.Draw(cloth)
    if pattern == "条纹":
        step, share = rng.uniform(0.1, 0.17), rng.uniform(0.3, 0.42)
        turn = rng.choice((0.0, math.pi / 2, math.pi / 2, rng.choice((1, -1)) * math.pi / 4))
        _bars(pen, frame, step, step * share, turn, accent, rng.random())
    elif pattern == "格子":
        step, share = rng.uniform(0.15, 0.22), rng.uniform(0.3, 0.4)
        layer = Image.new("L", cloth.size, 0)
        line = ImageDraw.Draw(layer)
        phase = rng.random()
        _bars(line, frame, step, step * share, 0.0, 130, phase)
        crossed = Image.new("L", cloth.size, 0)
        _bars(ImageDraw.Draw(crossed), frame, step, step * share, math.pi / 2, 130, rng.random())
        cloth.paste(accent, (0, 0), ImageChops.add(layer, crossed))
    elif pattern == "波点":
        step, radius = rng.uniform(0.14, 0.19), rng.uniform(0.2, 0.29)
        size = step * radius * frame.side
        n = int(0.75 / step) + 1
        dots = [
            (0.5 + (i + (j % 2) / 2) * step, 0.5 + j * step * 0.86) for j in range(-n, n + 1) for i in range(-n, n + 1)
        ]
        for x, y in frame(dots):
            pen.ellipse([x - size, y - size, x + size, y + size], fill=accent)


def _bars(
    pen: ImageDraw.ImageDraw, frame: Frame, step: float, thick: float, turn: float, fill: RGB | int, phase: float
) -> None:
    """Parallel bars across the unit square and beyond; ``turn`` 0 stands upright."""
    cos, sin = math.cos(turn), math.sin(turn)
    for k in range(-int(0.8 / step) - 1, int(0.8 / step) + 2):
        at = (k + phase) * step
        corners = ((at, -0.9), (at + thick, -0.9), (at + thick, 0.9), (at, 0.9))
        pen.polygon(frame([(0.5 + x * cos - y * sin, 0.5 + x * sin + y * cos) for x, y in corners]), fill=fill)


def weave(cloth: Image.Image, frame: Frame, width: int, colour: RGB) -> None:
    """Fine crossed threads. Their distance follows the picture, not the item: they must survive the reduction
    to 128 pixels.
    """
    step = max(width / 36, frame.side * 0.03)
    layer = Image.new("L", cloth.size, 0)
    pen = ImageDraw.Draw(layer)
    thick = max(1, round(step * 0.36))
    cos, sin, reach = math.cos(frame.angle + 0.8), math.sin(frame.angle + 0.8), width * 1.5
    for k in range(-int(width / step), int(width / step) + 1):
        x, y = width / 2 + k * step * cos, width / 2 + k * step * sin
        pen.line([x - reach * -sin, y - reach * cos, x + reach * -sin, y + reach * cos], fill=92, width=thick)
        x, y = width / 2 - k * step * sin, width / 2 + k * step * cos
        pen.line([x - reach * cos, y - reach * sin, x + reach * cos, y + reach * sin], fill=92, width=thick)
    cloth.paste(mix(colour, (255, 255, 255), 0.6) if sum(colour) < 330 else mix(colour, (0, 0, 0), 0.62), (0, 0), layer)


def gloss(cloth: Image.Image, rng: random.Random, frame: Frame, colour: RGB) -> Image.Image:
    """Slanted streaks of light; a darker one beside each lets them show on white."""
    layer, deep = Image.new("L", cloth.size, 0), Image.new("L", cloth.size, 0)
    light, dark = ImageDraw.Draw(layer), ImageDraw.Draw(deep)
    at = rng.uniform(0.2, 0.36)
    for x, thick in ((at, 0.085), (at + 0.15, 0.035), (at + rng.uniform(0.36, 0.46), 0.055)):
        band = ((x, 1.1), (x + thick, 1.1), (x + thick + 0.3, -0.1), (x + 0.3, -0.1))
        light.polygon(frame(band), fill=150)
        dark.polygon(frame([(u + thick, v) for u, v in band]), fill=60)
    cloth.paste((40, 40, 60), (0, 0), deep)
    cloth.paste((255, 255, 255), (0, 0), layer)
    return cloth


def damage(
    cloth: Image.Image,
    ground: Image.Image,
    mask: Image.Image,
    item: Item,
    rng: random.Random,
    frame: Frame,
    colour: RGB,
    around: RGB,
) -> Image.Image:
    """Draws the item's defect onto its ``cloth`` and returns where it is, as a mask."""
    # As a customer shows it: damage that is worth a complaint spans more than one patch of the tower's picture.
    reach = frame.side * rng.uniform(0.085, 0.125)
    spot = _spot(mask, str(item.place), rng, reach)
    if item.defect == "污渍":
        return _stain(cloth, spot, reach, rng, colour)
    if item.defect == "破洞":
        return _hole(cloth, ground, spot, reach, rng, frame.side, colour, around)
    return _crack(cloth, spot, reach, rng, frame.side, colour)


def _stain(cloth: Image.Image, spot: Point, reach: float, rng: random.Random, colour: RGB) -> Image.Image:
    x, y = spot
    stain = max(
        ((96, 66, 30), (58, 52, 40), (150, 122, 78)), key=lambda c: _distance(c, colour) * rng.uniform(0.8, 1.1)
    )
    layer = Image.new("L", cloth.size, 0)
    blot = ImageDraw.Draw(layer)
    for k in range(7):
        r = reach * rng.uniform(0.35, 0.75) if k else reach * 0.8
        dx, dy = (rng.gauss(0, reach * 0.5), rng.gauss(0, reach * 0.5)) if k else (0.0, 0.0)
        blot.ellipse([x + dx - r, y + dy - r, x + dx + r, y + dy + r], fill=rng.randint(190, 235))
    cloth.paste(stain, (0, 0), layer)
    return layer.point(lambda v: 255 if v else 0)


def _hole(
    cloth: Image.Image,
    ground: Image.Image,
    spot: Point,
    reach: float,
    rng: random.Random,
    side: float,
    colour: RGB,
    around: RGB,
) -> Image.Image:
    x, y = spot
    edge = [
        (
            x + reach * rng.uniform(0.75, 1.2) * math.cos(k * 0.57),
            y + reach * rng.uniform(0.75, 1.2) * math.sin(k * 0.57),
        )
        for k in range(11)
    ]
    hole = Image.new("L", cloth.size, 0)
    ImageDraw.Draw(hole).polygon(edge, fill=255)
    rim = tone(colour, 0.45)
    cloth.paste(mix(around, (10, 10, 14), 0.55), (0, 0), hole)
    lit = ImageChops.offset(hole, round(reach * 0.16), round(reach * 0.3))
    cloth.paste(ground, (0, 0), ImageChops.multiply(hole, lit))
    pen = ImageDraw.Draw(cloth)
    pen.line([*edge, edge[0]], fill=rim, width=max(1, round(side * 0.012)))
    for u, v in edge[::2]:  # frayed threads
        end = u + (x - u) * rng.uniform(-0.35, 0.5), v + (y - v) * rng.uniform(-0.35, 0.5)
        pen.line([u, v, *end], fill=rim, width=max(1, round(side * 0.008)))
    return hole


def _crack(cloth: Image.Image, spot: Point, reach: float, rng: random.Random, side: float, colour: RGB) -> Image.Image:
    x, y = spot
    ink: RGB = (12, 12, 14) if sum(colour) > 210 else (236, 236, 236)
    turn, long = rng.uniform(0, 2 * math.pi), reach * 2.6
    path = [(x - long / 2 * math.cos(turn), y - long / 2 * math.sin(turn))]
    for k in range(1, 8):
        t, aside = k / 7 - 0.5, reach * rng.uniform(0.15, 0.42) * (1 if k % 2 else -1)
        path.append(
            (
                x + long * t * math.cos(turn) - aside * math.sin(turn),
                y + long * t * math.sin(turn) + aside * math.cos(turn),
            )
        )
    thick = max(2, round(side * 0.019))
    pen = ImageDraw.Draw(cloth)
    # A clear strip of the item's own colour around it, on any pattern.
    pen.line(path, fill=tone(colour, 1.0), width=thick * 3)
    pen.line(path, fill=ink, width=thick)
    for u, v in (path[2], path[5]):
        end = u + rng.uniform(-1, 1) * reach * 0.8, v + rng.uniform(-1, 1) * reach * 0.8
        pen.line([u, v, *end], fill=ink, width=max(1, thick - 1))
    where = Image.new("L", cloth.size, 0)
    ImageDraw.Draw(where).line(path, fill=255, width=thick * 3)
    return where


def _distance(a: RGB, b: RGB) -> int:
    return sum(abs(p - q) for p, q in zip(a, b, strict=True))


def _spot(mask: Image.Image, place: str, rng: random.Random, reach: float) -> Point:
    """A point of the body in the given part of its outline, as far from the rim as the defect needs where that
    is possible.
    """
    cell = 4
    small = mask.resize((mask.width // cell, mask.height // cell), Image.Resampling.BOX).point(
        lambda v: 255 if v > 200 else 0
    )
    box = small.getbbox() or (0, 0, *small.size)
    need = max(0, round(reach / cell))
    for margin in range(need, -1, -1):
        inner = np.asarray(small.filter(ImageFilter.MinFilter(2 * margin + 1)) if margin else small)
        ys, xs = np.nonzero(inner)
        if not len(xs):
            continue
        u = (xs + 0.5 - (box[0] + box[2]) / 2) / ((box[2] - box[0]) / 2)
        v = (ys + 0.5 - (box[1] + box[3]) / 2) / ((box[3] - box[1]) / 2)
        along, across = {"上方": (-v, u), "下方": (v, u), "左边": (-u, v), "右边": (u, v), "中间": (u, v)}[place]
        if place == "中间":
            found = np.nonzero((np.abs(u) < 0.2) & (np.abs(v) < 0.2))[0]
        else:
            found = np.nonzero((along > 0.38) & (np.abs(across) < 0.75 * along))[0]
        if not len(found) and not margin:  # a thin body, half out of the picture: the best there is
            found = np.array(
                [np.argmin(np.abs(u) + np.abs(v)) if place == "中间" else np.argmax(along - np.abs(across))]
            )
        if len(found):
            k = int(found[rng.randrange(len(found))])
            return (float(xs[k]) + 0.5) * cell, (float(ys[k]) + 0.5) * cell
    raise ValueError("the item lies outside of the picture")
