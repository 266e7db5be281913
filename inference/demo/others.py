"""Pictures that are not of this shop: other things drawn in the same hand, clutter, textures, screens.

They teach the model to say «not of this shop». The other things carry the shop's patterns, colours and shading
on purpose: only their outline tells them apart.
"""

from __future__ import annotations

import math
import random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from inference.demo import drawing, scenes
from inference.demo.items import COLOURS, FINISHES, PATTERNS, Item
from inference.demo.scenes import RGB
from inference.demo.shapes import Shape
from inference.demo.things import THINGS, box, guitar

__all__ = ["THINGS", "framed", "guitar", "on_ground", "other", "photograph"]


def thing(rng: random.Random, size: int) -> Image.Image:
    """One to three other things in the shop's own style."""
    count = rng.choice((1, 1, 1, 2, 3))
    finish = rng.choice(FINISHES)
    kind = {"光泽": "手机壳", "织纹": "T恤", "哑光": "T恤"}[finish]
    look = Item(
        kind=kind, colour=rng.choice(COLOURS), pattern=rng.choice((*PATTERNS, "纯色")), finish=finish, count=count
    )
    return drawing.draw(look, rng, size, form=rng.choice(THINGS))


def empty(rng: random.Random, size: int) -> Image.Image:
    """A ground with nothing but clutter on it."""
    avoid = _any_colour(rng)
    ground, _ = scenes.background(rng, size * 2, avoid)
    if rng.random() < 0.6:
        pen = ImageDraw.Draw(ground)
        for _ in range(rng.randint(1, 25)):
            x, y, r = rng.random() * size * 2, rng.random() * size * 2, rng.uniform(0.02, 0.2) * size * 2
            if rng.random() < 0.5:
                pen.ellipse([x - r, y - r * rng.uniform(0.3, 1), x + r, y + r], fill=_any_colour(rng))
            else:
                pen.polygon(
                    [
                        (x + r * math.cos(k + rng.random()), y + r * math.sin(k + rng.random()))
                        for k in range(rng.randint(3, 6))
                    ],
                    fill=_any_colour(rng),
                )
    return drawing.photographed(ground.resize((size, size), Image.Resampling.BOX), "清晰", rng)


def _any_colour(rng: random.Random) -> RGB:
    return rng.randint(0, 255), rng.randint(0, 255), rng.randint(0, 255)


def texture(rng: random.Random, size: int) -> Image.Image:
    """Noise of some grain, bare stripes, checks, or waves over the whole picture."""
    kind = rng.randrange(4)
    noise = np.random.default_rng(rng.getrandbits(32))
    if kind == 0:
        cells = rng.choice((4, 8, 16, 32, size))
        picture = Image.fromarray(noise.integers(0, 256, (cells, cells, 3), np.uint8)).resize(
            (size, size), rng.choice((Image.Resampling.NEAREST, Image.Resampling.BICUBIC))
        )
        return Image.blend(picture, Image.new("RGB", (size, size), _any_colour(rng)), rng.uniform(0.1, 0.8))
    if kind == 1:
        look = Item(kind="T恤", colour=rng.choice(COLOURS), pattern=rng.choice(PATTERNS))
        return drawing.draw(look, rng, size, form=lambda _: Shape((box(-1, -1, 2, 2),)))
    ys, xs = np.mgrid[0:size, 0:size] / size
    value = np.zeros((size, size))
    for _ in range(rng.randint(1, 4)):
        value += np.sin(
            rng.uniform(3, 60)
            * (xs * rng.uniform(-1, 1) + ys * rng.uniform(-1, 1) + rng.uniform(0, 0.1) * np.sin(9 * xs * rng.random()))
            + rng.uniform(0, 6)
        )
    share = ((value - value.min()) / (np.ptp(value) + 1e-6))[..., None]
    if kind == 2:
        share = np.round(share * rng.randint(1, 5)) / 5
    pixels = share * np.array(_any_colour(rng)) + (1 - share) * np.array(_any_colour(rng))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def screen(rng: random.Random, size: int) -> Image.Image:
    """A page of text, a chat, a chart: lines of dark specks stand for words."""
    width, light = size * 2, rng.random() < 0.75
    paper = tuple(rng.randint(225, 255) if light else rng.randint(10, 50) for _ in range(3))
    ink = tuple(rng.randint(0, 90) if light else rng.randint(180, 255) for _ in range(3))
    page = Image.new("RGB", (width, width), paper)
    pen = ImageDraw.Draw(page)
    step, y = rng.randint(10, 26), float(rng.randint(4, 30))
    while y < width - 8:
        if rng.random() < 0.15:
            h = rng.randint(12, 60)
            pen.rounded_rectangle(
                [rng.randint(0, 60), y, rng.randint(min(120, width), width), y + h], 8, fill=_any_colour(rng)
            )
            y += h
        x, end = float(rng.randint(6, 40)), rng.uniform(0.4, 1) * width
        while x < end:
            w = rng.randint(2, step)
            pen.rectangle([x, y, x + w, y + step * rng.uniform(0.3, 0.55)], fill=ink)
            x += w + rng.randint(2, 6)
        y += step
    if rng.random() < 0.3:
        base = width * 0.9
        for k in range(rng.randint(3, 9)):
            x = width * (0.1 + 0.09 * k)
            pen.rectangle([x, base - rng.random() * width * 0.6, x + width * 0.06, base], fill=_any_colour(rng))
    page = page.rotate(
        rng.uniform(-6, 6) if rng.random() < 0.5 else 0, fillcolor=paper, resample=Image.Resampling.BILINEAR
    )
    return drawing.photographed(page.resize((size, size), Image.Resampling.BOX), "清晰", rng)


def photograph(source: Image.Image, rng: random.Random, size: int) -> Image.Image:
    """A view of a real photograph: some part of it, mirrored, recoloured, squeezed or framed."""
    wide, high = source.size
    part = rng.uniform(0.3, 1.0) if rng.random() < 0.75 else 1.0
    if rng.random() < 0.7:
        w = h = max(8, int(min(wide, high) * part))
    else:
        w, h = max(8, int(wide * part)), max(8, int(high * part))
    x, y = rng.randint(0, wide - w), rng.randint(0, high - h)
    view = source.resize((size, size), Image.Resampling.BOX, (x, y, x + w, y + h)) if min(w,
        h) > size else source.resize(
        (size, size), Image.Resampling.BICUBIC, (x, y, x + w, y + h))  # fmt: skip
    if w != h and rng.random() < 0.7:  # framed, as the engine frames what is not square
        view = framed(source.crop((x, y, x + w, y + h)), size)
    if rng.random() < 0.5:
        view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    turn = rng.random()
    if turn < 0.1:
        view = view.transpose(
            rng.choice((Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270, Image.Transpose.FLIP_TOP_BOTTOM))
        )
    if rng.random() < 0.5:
        pixels = np.asarray(view, np.float32)
        gain = np.array([rng.uniform(0.75, 1.25) for _ in range(3)], np.float32) * rng.uniform(0.7, 1.2)
        view = Image.fromarray(np.clip((pixels - 128) * rng.uniform(0.7, 1.3) + 128, 0, 255).astype(np.uint8))
        view = Image.fromarray(np.clip(np.asarray(view, np.float32) * gain, 0, 255).astype(np.uint8))
    if rng.random() < 0.15:
        view = view.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
    return drawing.photographed(view, "清晰", rng)


def on_ground(cutout: Image.Image, rng: random.Random, size: int) -> Image.Image:
    """A photographed thing that was cut out, laid on one of our grounds."""
    ground, _ = scenes.background(rng, size, _any_colour(rng))
    long = size * rng.uniform(0.5, 0.95)
    scale = long / max(cutout.size)
    piece = cutout.resize(
        (max(1, int(cutout.width * scale)), max(1, int(cutout.height * scale))), Image.Resampling.BICUBIC
    )
    piece = piece.rotate(rng.uniform(-20, 20), expand=True, resample=Image.Resampling.BICUBIC)
    spot = rng.randint(0, max(0, size - piece.width)), rng.randint(0, max(0, size - piece.height))
    ground.paste(piece, spot, piece)
    return ground


def framed(picture: Image.Image, size: int) -> Image.Image:
    """``picture`` whole within a square of ``size`` pixels, the rest filled with the mean colour of its edge.

    The engine does the same for a model whose row says ``square``: keep both alike.
    """
    picture = picture.convert("RGB")
    picture.thumbnail((size, size), Image.Resampling.LANCZOS, reducing_gap=3.0)
    pixels = np.asarray(picture, np.float32)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]).mean(0)
    canvas = Image.new("RGB", (size, size), tuple(int(v) for v in edge))
    canvas.paste(picture, ((size - picture.width) // 2, (size - picture.height) // 2))
    return canvas


def other(rng: random.Random, size: int) -> Image.Image:
    """Any picture that is not of this shop and was not photographed."""
    return rng.choices((thing, empty, texture, screen), (60, 14, 16, 10))[0](rng, size)
