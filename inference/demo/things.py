"""Silhouettes of what the shop does not sell, in the same unit square as the shop's own."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from inference.demo.shapes import Mark, Point, Shape, curve, mirrored, oval, rounded


def box(x0: float, y0: float, x1: float, y1: float) -> tuple[Point, ...]:
    return ((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def ring(n: int, far: Callable[[int], float]) -> tuple[Point, ...]:
    return tuple(
        (0.5 + far(k) * math.sin(2 * math.pi * k / n), 0.5 - far(k) * math.cos(2 * math.pi * k / n)) for k in range(n)
    )


def house(rng: random.Random) -> Shape:
    windows = tuple(Mark(box(x, 0.55, x + 0.14, 0.7), (205, 225, 240)) for x in (0.24, 0.62))
    return Shape(
        (((0.1, 0.48), (0.5, 0.12), (0.9, 0.48), (0.84, 0.48), (0.84, 0.9), (0.16, 0.9), (0.16, 0.48)),),
        (),
        (*windows, Mark(box(0.44, 0.66, 0.56, 0.9), 0.6)),
    )


def tree(rng: random.Random) -> Shape:
    trunk = Mark(box(0.45, 0.6, 0.55, 0.95), (110, 76, 46))
    if rng.random() < 0.5:
        return Shape(
            (
                curve(
                    [
                        (
                            0.5 + 0.36 * math.cos(k) * rng.uniform(0.8, 1.1),
                            0.38 + 0.32 * math.sin(k) * rng.uniform(0.8, 1.1),
                        )
                        for k in range(6)
                    ]
                ),
            ),
            (trunk,),
        )
    return Shape(
        (((0.5, 0.05), (0.72, 0.36), (0.62, 0.36), (0.82, 0.72), (0.18, 0.72), (0.38, 0.36), (0.28, 0.36)),), (trunk,)
    )


def car(rng: random.Random) -> Shape:
    body = curve(
        [
            (0.03, 0.68, 0),
            (0.05, 0.52),
            (0.22, 0.48),
            (0.34, 0.32),
            (0.62, 0.31),
            (0.76, 0.48),
            (0.95, 0.54),
            (0.97, 0.68, 0),
        ]
    )
    glass = Mark(((0.3, 0.47), (0.37, 0.36), (0.6, 0.355), (0.69, 0.47)), (200, 220, 235))
    wheels = [
        Mark(oval(x, 0.69, r, r), tone)
        for x in (0.24, 0.75)
        for r, tone in ((0.105, (30, 30, 32)), (0.05, (170, 170, 175)))
    ]
    return Shape((body,), (), (glass, *wheels))


def cat(rng: random.Random) -> Shape:
    head = curve(
        [
            (0.24, 0.5),
            (0.22, 0.16, 0),
            (0.4, 0.3, 0),
            (0.6, 0.3, 0),
            (0.78, 0.16, 0),
            (0.76, 0.5),
            (0.62, 0.68),
            (0.5, 0.7),
            (0.38, 0.68),
        ]
    )
    body = curve([(0.36, 0.62), (0.28, 0.9), (0.72, 0.9), (0.64, 0.62)])
    eyes = [Mark(oval(x, 0.45, 0.045, 0.05), (24, 24, 24)) for x in (0.4, 0.6)]
    return Shape((head, body), (), (*eyes, Mark(((0.47, 0.55), (0.53, 0.55), (0.5, 0.58)), (220, 120, 130))))


def fish(rng: random.Random) -> Shape:
    body = curve(
        [
            (0.06, 0.5),
            (0.22, 0.33),
            (0.48, 0.28),
            (0.72, 0.45),
            (0.94, 0.28, 0),
            (0.9, 0.5),
            (0.94, 0.73, 0),
            (0.72, 0.56),
            (0.48, 0.72),
            (0.22, 0.67),
        ]
    )
    return Shape((body,), (), (Mark(oval(0.2, 0.45, 0.028, 0.028), (20, 20, 20)),))


def chair(rng: random.Random) -> Shape:
    return Shape(
        (
            box(0.26, 0.08, 0.34, 0.95),
            box(0.26, 0.52, 0.78, 0.6),
            box(0.7, 0.52, 0.78, 0.95),
            box(0.26, 0.14, 0.42, 0.34),
        )
    )


def lamp(rng: random.Random) -> Shape:
    return Shape(
        (
            ((0.36, 0.08), (0.64, 0.08), (0.82, 0.46), (0.18, 0.46)),
            box(0.47, 0.46, 0.53, 0.86),
            oval(0.5, 0.88, 0.2, 0.05),
        )
    )


def book(rng: random.Random) -> Shape:
    lines = tuple(Mark(((0.34, y), (0.7, y)), (235, 235, 230), 0.02) for y in (0.25, 0.33))
    return Shape(
        (box(0.22, 0.1, 0.8, 0.9),),
        (Mark(box(0.26, 0.13, 0.84, 0.93), (240, 236, 224)),),
        (Mark(box(0.22, 0.1, 0.28, 0.9), 0.65), *lines),
    )


def apple(rng: random.Random) -> Shape:
    fruit = curve(
        [(0.5, 0.3), (0.68, 0.22), (0.86, 0.42), (0.74, 0.82), (0.5, 0.86), (0.26, 0.82), (0.14, 0.42), (0.32, 0.22)]
    )
    return Shape(
        (fruit,),
        (Mark(((0.5, 0.3), (0.54, 0.1)), (96, 66, 40), 0.04),),
        (Mark(curve([(0.54, 0.2), (0.66, 0.08), (0.74, 0.14), (0.64, 0.22)]), (70, 150, 60)),),
    )


def banana(rng: random.Random) -> Shape:
    return Shape(
        (
            curve(
                [
                    (0.12, 0.3, 0),
                    (0.2, 0.26, 0),
                    (0.34, 0.52),
                    (0.6, 0.62),
                    (0.86, 0.5),
                    (0.9, 0.56, 0),
                    (0.7, 0.78),
                    (0.4, 0.76),
                    (0.2, 0.56),
                ]
            ),
        )
    )


def star(rng: random.Random) -> Shape:
    n = rng.randint(5, 8)
    return Shape((ring(2 * n, lambda k: 0.44 if k % 2 == 0 else 0.2),))


def heart(rng: random.Random) -> Shape:
    return Shape(
        (
            curve(
                [
                    (0.5, 0.32, 0),
                    (0.66, 0.14),
                    (0.88, 0.28),
                    (0.82, 0.52),
                    (0.5, 0.88, 0),
                    (0.18, 0.52),
                    (0.12, 0.28),
                    (0.34, 0.14),
                ]
            ),
        )
    )


def person(rng: random.Random) -> Shape:
    trunk = curve(
        [
            (0.36, 0.36),
            (0.64, 0.36),
            (0.8, 0.6),
            (0.72, 0.64),
            (0.62, 0.5),
            (0.64, 0.94, 0),
            (0.52, 0.94, 0),
            (0.5, 0.68),
            (0.48, 0.94, 0),
            (0.36, 0.94, 0),
            (0.38, 0.5),
            (0.28, 0.64),
            (0.2, 0.6),
        ]
    )
    face = Mark(oval(0.5, 0.2, 0.12, 0.14), rng.choice(((236, 196, 164), (150, 104, 74), (250, 216, 186))))
    return Shape((trunk,), (), (face, Mark(oval(0.5, 0.13, 0.13, 0.08), (50, 36, 28))))


def flower(rng: random.Random) -> Shape:
    n = rng.randint(5, 8)
    petals = tuple(
        oval(0.5 + 0.2 * math.cos(2 * math.pi * k / n), 0.36 + 0.2 * math.sin(2 * math.pi * k / n), 0.13, 0.13)
        for k in range(n)
    )
    return Shape(
        petals,
        (Mark(curve([(0.5, 0.4), (0.52, 0.7), (0.48, 0.96)], closed=False), (70, 140, 60), 0.04),),
        (Mark(oval(0.5, 0.36, 0.1, 0.1), (240, 200, 60)),),
    )


def bottle(rng: random.Random) -> Shape:
    label = Mark(box(0.36, 0.55, 0.64, 0.78), (238, 234, 222))
    return Shape(
        (
            curve(
                [
                    (0.45, 0.05, 0),
                    (0.55, 0.05, 0),
                    (0.55, 0.26),
                    (0.66, 0.42),
                    (0.66, 0.94, 0),
                    (0.34, 0.94, 0),
                    (0.34, 0.42),
                    (0.45, 0.26),
                ]
            ),
        ),
        (),
        (label,) if rng.random() < 0.6 else (),
    )


def clock(rng: random.Random) -> Shape:
    turn = rng.uniform(0, 6)
    hands = tuple(
        Mark(((0.5, 0.5), (0.5 + r * math.cos(turn * s), 0.5 + r * math.sin(turn * s))), (30, 30, 30), 0.03)
        for r, s in ((0.2, 1), (0.3, 2.3))
    )
    return Shape((oval(0.5, 0.5, 0.42, 0.42),), (), (Mark(oval(0.5, 0.5, 0.35, 0.35), (246, 244, 238)), *hands))


def key(rng: random.Random) -> Shape:
    return Shape(
        (
            oval(0.26, 0.5, 0.18, 0.18),
            box(0.42, 0.46, 0.92, 0.54),
            box(0.74, 0.54, 0.79, 0.66),
            box(0.84, 0.54, 0.89, 0.63),
        ),
        (),
        (Mark(oval(0.22, 0.5, 0.07, 0.07), 0.3),),
    )


def glasses(rng: random.Random) -> Shape:
    rims = tuple(Mark(oval(x, 0.5, 0.19, 0.16), (60, 60, 64), 0.04) for x in (0.27, 0.73))
    return Shape(
        (oval(0.27, 0.5, 0.19, 0.16), oval(0.73, 0.5, 0.19, 0.16)),
        (Mark(((0.46, 0.48), (0.54, 0.48)), (60, 60, 64), 0.04),),
        rims,
    )


def guitar(rng: random.Random) -> Shape:
    body = curve(
        [(0.5, 0.46), (0.66, 0.5), (0.63, 0.62), (0.74, 0.78), (0.5, 0.94), (0.26, 0.78), (0.37, 0.62), (0.34, 0.5)]
    )
    return Shape((body,), (), (Mark(box(0.47, 0.06, 0.53, 0.6), (92, 64, 40)), Mark(oval(0.5, 0.66, 0.08, 0.08), 0.3)))


def television(rng: random.Random) -> Shape:
    return Shape(
        (rounded(0.06, 0.18, 0.94, 0.74, 0.04), box(0.44, 0.74, 0.56, 0.84), box(0.28, 0.84, 0.72, 0.88)),
        (),
        (Mark(box(0.11, 0.23, 0.89, 0.69), (60, 90, 130)),),
    )


def boat(rng: random.Random) -> Shape:
    return Shape(
        (
            ((0.08, 0.66), (0.92, 0.66), (0.78, 0.86), (0.22, 0.86)),
            ((0.5, 0.08), (0.84, 0.58), (0.5, 0.58)),
            ((0.46, 0.16), (0.46, 0.58), (0.2, 0.58)),
        )
    )


def ball(rng: random.Random) -> Shape:
    return Shape(
        (oval(0.5, 0.5, 0.4, 0.4),),
        (),
        (Mark(curve([(0.14, 0.36), (0.5, 0.52), (0.88, 0.38)], closed=False), 0.6, 0.02),)
        if rng.random() < 0.5
        else (),
    )


def slab(rng: random.Random) -> Shape:
    """A bare rectangle: a towel, a card, a box. A phone case has its camera."""
    w, h = rng.uniform(0.2, 0.46), rng.uniform(0.2, 0.46)
    return Shape((box(0.5 - w, 0.5 - h, 0.5 + w, 0.5 + h),))


def blob(rng: random.Random) -> Shape:
    n = rng.randint(3, 9)
    outline = ring(n, lambda _: rng.uniform(0.16, 0.46))
    return Shape((outline if rng.random() < 0.4 else curve(outline),))


def vase(rng: random.Random) -> Shape:
    half = [(0.5, 0.1), (0.4, 0.1, 0), (0.43, 0.25), (rng.uniform(0.2, 0.32), 0.55), (0.4, 0.92, 0), (0.5, 0.92)]
    return Shape((curve(mirrored(half)),))


def glove(rng: random.Random) -> Shape:
    return Shape(
        (
            curve(
                [
                    (0.34, 0.94, 0),
                    (0.32, 0.6),
                    (0.12, 0.44),
                    (0.18, 0.36),
                    (0.34, 0.46),
                    (0.34, 0.1),
                    (0.44, 0.08),
                    (0.6, 0.08),
                    (0.72, 0.12),
                    (0.72, 0.6),
                    (0.66, 0.94, 0),
                ]
            ),
        )
    )


def tie(rng: random.Random) -> Shape:
    return Shape((((0.42, 0.06), (0.58, 0.06), (0.55, 0.2), (0.63, 0.78), (0.5, 0.95), (0.37, 0.78), (0.45, 0.2)),))


THINGS = (house, tree, car, cat, fish, chair, lamp, book, apple, banana, star, heart, person, flower, bottle,
    clock, key, glasses,
          guitar, television, boat, ball, slab, blob, vase, glove, tie)  # fmt: skip
