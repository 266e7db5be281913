"""Grounds that an item lies on: walls, tables, cloth, tiles, planks, clutter."""

from __future__ import annotations

import math
import random

from PIL import Image, ImageDraw, ImageFilter

RGB = tuple[int, int, int]


def mix(a: RGB, b: RGB, share: float) -> RGB:
    """``a`` with ``share`` of ``b`` in it."""
    return tuple(round(p + (q - p) * share) for p, q in zip(a, b, strict=True))  # type: ignore[return-value]


def gradient(width: int, top: RGB, low: RGB) -> Image.Image:
    ramp = Image.linear_gradient("L").resize((width, width), Image.Resampling.BILINEAR)
    return Image.composite(Image.new("RGB", (width, width), low), Image.new("RGB", (width, width), top), ramp)


def _ground_colour(rng: random.Random, avoid: RGB) -> RGB:
    """Any colour that the item stands out from."""
    while True:
        if rng.random() < 0.5:
            grey = rng.randint(25, 250)
            colour = tuple(max(0, min(255, grey + rng.randint(-14, 14))) for _ in range(3))
        else:
            colour = tuple(rng.randint(20, 255) for _ in range(3))
            grey = sum(colour) // 3
            colour = tuple((c + grey) // 2 for c in colour)
        if sum(abs(p - q) for p, q in zip(colour, avoid, strict=True)) > 120:
            return colour  # type: ignore[return-value]


def _near(colour: RGB, rng: random.Random, spread: int) -> RGB:
    step = rng.randint(-spread, spread)
    return tuple(max(0, min(255, c + step + rng.randint(-4, 4))) for c in colour)  # type: ignore[return-value]


def background(rng: random.Random, width: int, avoid: RGB) -> tuple[Image.Image, RGB]:
    """A ground of ``width`` × ``width`` and its main colour."""
    colour = _ground_colour(rng, avoid)
    kind = rng.random()
    ground = gradient(width, _near(colour, rng, 22), _near(colour, rng, 22))
    pen = ImageDraw.Draw(ground)
    if kind < 0.2:  # a table before a wall
        other = _ground_colour(rng, avoid)
        y = rng.uniform(0.25, 0.75) * width
        tilt = rng.uniform(-0.08, 0.08) * width
        pen.polygon([(0, y - tilt), (width, y + tilt), (width, width), (0, width)], fill=other)
    elif kind < 0.32:  # planks
        step, across = width / rng.randint(4, 9), rng.random() < 0.5
        for k in range(10):
            shade = _near(colour, rng, 12)
            box = [0, k * step, width, (k + 1) * step] if across else [k * step, 0, (k + 1) * step, width]
            pen.rectangle(box, fill=shade, outline=mix(shade, (0, 0, 0), 0.25), width=max(1, width // 200))
    elif kind < 0.42:  # tiles
        step, joint = width / rng.randint(3, 7), mix(colour, (255, 255, 255) if sum(colour) < 380 else (0, 0, 0), 0.18)
        shift = rng.random() * step
        for k in range(9):
            at = k * step - shift
            pen.line([at, 0, at, width], fill=joint, width=max(1, width // 90))
            pen.line([0, at, width, at], fill=joint, width=max(1, width // 90))
    elif kind < 0.52:  # folds of a sheet
        for _ in range(rng.randint(2, 5)):
            x, w = rng.uniform(-0.2, 1) * width, rng.uniform(0.05, 0.2) * width
            lean = rng.uniform(-0.5, 0.5) * width
            pen.polygon([(x, 0), (x + w, 0), (x + w + lean, width), (x + lean, width)], fill=_near(colour, rng, 14))
        ground = ground.filter(ImageFilter.BoxBlur(width / 60))
    elif kind < 0.62:  # speckles
        for _ in range(rng.randint(30, 90)):
            x, y, r = rng.random() * width, rng.random() * width, rng.uniform(0.003, 0.012) * width
            pen.ellipse([x - r, y - r, x + r, y + r], fill=_near(colour, rng, 30))
    if rng.random() < 0.35:
        _clutter(ground, rng, avoid, rng.randint(1, 4))
    if rng.random() < 0.12:  # a bar at two sides: a photo that was not square
        bar, shade = int(width * rng.uniform(0.06, 0.16)), _ground_colour(rng, avoid)
        pen = ImageDraw.Draw(ground)
        boxes: tuple[list[float], ...] = (
            ([0, 0, bar, width], [width - bar, 0, width, width])
            if rng.random() < 0.5
            else ([0, 0, width, bar], [0, width - bar, width, width])
        )
        for box in boxes:
            pen.rectangle(box, fill=shade)
    return ground, colour


def _clutter(ground: Image.Image, rng: random.Random, avoid: RGB, number: int) -> None:
    """Small things at the rim: they must neither be the item nor look like a second one."""
    width, pen = ground.width, ImageDraw.Draw(ground)
    for _ in range(number):
        shade = _ground_colour(rng, avoid)
        angle, far = rng.uniform(0, 2 * math.pi), rng.uniform(0.42, 0.62) * width
        x, y, r = (
            width / 2 + far * math.cos(angle) * 1.2,
            width / 2 + far * math.sin(angle) * 1.2,
            rng.uniform(0.03, 0.11) * width,
        )
        form = rng.randrange(4)
        if form == 0:
            pen.ellipse([x - r, y - r, x + r, y + r], fill=shade)
        elif form == 1:
            turn = rng.uniform(0, math.pi)
            pen.polygon(
                [(x + r * 1.3 * math.cos(turn + k), y + r * 1.3 * math.sin(turn + k)) for k in (0.4, 2.7, 3.5, 5.9)],
                fill=shade,
            )
        elif form == 2:  # a pen or a cable
            turn, long = rng.uniform(0, math.pi), r * 3
            pen.line(
                [
                    x - long * math.cos(turn),
                    y - long * math.sin(turn),
                    x + long * math.cos(turn),
                    y + long * math.sin(turn),
                ],
                fill=shade,
                width=max(2, round(r * 0.25)),
            )
        else:
            pen.polygon(
                [
                    (x + r * rng.uniform(0.6, 1.3) * math.cos(k), y + r * rng.uniform(0.6, 1.3) * math.sin(k))
                    for k in range(7)
                ],
                fill=shade,
            )
