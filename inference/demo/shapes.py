"""Silhouettes of the ten kinds, in a unit square (x to the right, y down).

A :class:`Shape` is pure geometry. ``body`` is the surface that carries pattern and defects; ``under`` and ``over`` are
what is drawn before and after it: straps, seams, laces, a handle.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Point = tuple[float, float]
#: Brightness relative to the item's own colour, or a colour of its own.
Tone = float | tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Mark:
    """A filled polygon (``width`` 0) or a line of ``width`` (in units of the square)."""

    points: tuple[Point, ...]
    tone: Tone
    width: float = 0.0


@dataclass(frozen=True, slots=True)
class Shape:
    body: tuple[tuple[Point, ...], ...]
    under: tuple[Mark, ...] = ()
    over: tuple[Mark, ...] = ()


def curve(points: Sequence[tuple[float, ...]], *, closed: bool = True, steps: int = 6) -> tuple[Point, ...]:
    """A smooth line through the points (Catmull–Rom); a third coordinate makes a point a sharp corner."""
    n = len(points)
    out: list[Point] = []
    for i in range(n if closed else n - 1):
        a, b = points[i], points[(i + 1) % n]
        before = points[i - 1] if closed or i else a
        after = points[(i + 2) % n] if closed or i + 2 < n else b
        ta = (0.0, 0.0) if len(a) > 2 else ((b[0] - before[0]) / 2, (b[1] - before[1]) / 2)
        tb = (0.0, 0.0) if len(b) > 2 else ((after[0] - a[0]) / 2, (after[1] - a[1]) / 2)
        if len(a) > 2 and len(b) > 2:
            out.append((a[0], a[1]))
            continue
        for k in range(steps):
            t = k / steps
            h1, h2, h3, h4 = 2 * t**3 - 3 * t**2 + 1, 3 * t**2 - 2 * t**3, t**3 - 2 * t**2 + t, t**3 - t**2
            out.append(
                (h1 * a[0] + h2 * b[0] + h3 * ta[0] + h4 * tb[0], h1 * a[1] + h2 * b[1] + h3 * ta[1] + h4 * tb[1])
            )
    if not closed:
        out.append((points[-1][0], points[-1][1]))
    return tuple(out)


def oval(
    x: float, y: float, rx: float, ry: float, *, start: float = 0, end: float = 360, n: int = 28
) -> tuple[Point, ...]:
    angles = [math.radians(start + (end - start) * k / n) for k in range(n + 1)]
    return tuple((x + rx * math.cos(t), y + ry * math.sin(t)) for t in angles)


def rounded(x0: float, y0: float, x1: float, y1: float, r: float) -> tuple[Point, ...]:
    return (
        *oval(x1 - r, y0 + r, r, r, start=-90, end=0, n=6),
        *oval(x1 - r, y1 - r, r, r, start=0, end=90, n=6),
        *oval(x0 + r, y1 - r, r, r, start=90, end=180, n=6),
        *oval(x0 + r, y0 + r, r, r, start=180, end=270, n=6),
    )


def mirrored(half: Sequence[tuple[float, ...]]) -> list[tuple[float, ...]]:
    """The left half, top to bottom, completed by its mirror image around x = 0.5."""
    return [*half, *((1 - p[0], *p[1:]) for p in reversed(half) if abs(p[0] - 0.5) > 1e-6)]


def dress(rng: random.Random) -> Shape:
    waist, hem, wide = rng.uniform(0.38, 0.45), rng.uniform(0.9, 0.95), rng.uniform(0.1, 0.17)
    sleeve = rng.random() < 0.4
    shoulder = [(0.27, 0.12), (0.2, 0.27, 0), (0.31, 0.3, 0), (0.36, 0.22)] if sleeve else [(0.375, 0.17), (0.34, 0.24)]
    left = [(0.5, 0.185), (0.445, 0.15), (0.42, 0.06, 0), (0.355, 0.06, 0), *shoulder, (0.4, waist, 0), (0.29, 0.66)]
    foot = [(wide, hem - 0.03, 0), (0.28, hem + 0.015), (0.4, hem), (0.5, hem + 0.02)]
    folds = tuple(
        Mark(curve([(x, waist + 0.03), ((x + to) / 2 + 0.01, 0.66), (to, hem - 0.03)], closed=False), 0.8, 0.007)
        for x, to in ((0.45, 0.34), (0.5, 0.51), (0.55, 0.67))
    )
    belt = Mark(((0.4, waist - 0.015), (0.6, waist - 0.015), (0.605, waist + 0.02), (0.395, waist + 0.02)), 0.68)
    back = Mark(oval(0.5, 0.1, 0.075, 0.05), 0.55)
    return Shape((curve(mirrored([*left, *foot])),), (back,), (*folds, belt))


def tshirt(rng: random.Random) -> Shape:
    cuff, side = rng.uniform(0.42, 0.5), rng.uniform(0.25, 0.29)
    left = [(0.5, 0.18), (0.42, 0.155), (0.37, 0.09, 0), (0.24, 0.15), (0.035, cuff - 0.09, 0), (0.15, cuff + 0.03, 0),
            (side, 0.36, 0), (side - 0.005, 0.64), (side - 0.01, 0.9, 0), (0.5, 0.915)]  # fmt: skip
    collar = curve([(0.37, 0.09), (0.42, 0.155), (0.5, 0.18), (0.58, 0.155), (0.63, 0.09)], closed=False)
    over = (
        Mark(collar, 0.68, 0.024),
        Mark(((0.06, cuff - 0.115), (0.175, cuff)), 0.74, 0.008),
        Mark(((0.94, cuff - 0.115), (0.825, cuff)), 0.74, 0.008),
        Mark(((side, 0.875), (1 - side, 0.875)), 0.74, 0.008),
        Mark(((side, 0.36), (side + 0.05, 0.43)), 0.78, 0.008),
        Mark(((1 - side, 0.36), (0.95 - side, 0.43)), 0.78, 0.008),
    )
    return Shape((curve(mirrored(left)),), (Mark(oval(0.5, 0.105, 0.115, 0.035), 0.5),), over)


def trousers(rng: random.Random) -> Shape:
    out, inn, short = rng.uniform(0.16, 0.22), rng.uniform(0.4, 0.45), rng.random() < 0.15
    hem = 0.72 if short else 0.94
    left = [(0.5, 0.37, 0), (inn, hem, 0), (out, hem - 0.01, 0), (0.23, 0.5), (0.28, 0.06, 0), (0.5, 0.07)]
    over = (
        Mark(((0.276, 0.115), (0.724, 0.115)), 0.68, 0.012),
        Mark(((0.5, 0.115), (0.5, 0.36)), 0.7, 0.01),
        Mark(curve([(0.27, 0.2), (0.34, 0.19), (0.37, 0.115)], closed=False), 0.72, 0.009),
        Mark(curve([(0.73, 0.2), (0.66, 0.19), (0.63, 0.115)], closed=False), 0.72, 0.009),
        Mark(((out + 0.005, hem - 0.045), (inn, hem - 0.035)), 0.75, 0.008),
        Mark(((1 - out - 0.005, hem - 0.045), (1 - inn, hem - 0.035)), 0.75, 0.008),
        Mark(oval(0.5, 0.09, 0.012, 0.012, n=10), 0.5),
    )
    return Shape((curve(mirrored(left)),), (), over)


def shoe(rng: random.Random) -> Shape:
    high = rng.uniform(0.25, 0.34)
    upper = [(0.055, 0.75, 0), (0.05, 0.55), (0.1, high), (0.16, high - 0.015), (0.26, high + 0.05), (0.38,
        high - 0.02, 0),
             (0.44, high + 0.02, 0), (0.55, 0.48), (0.72, 0.555), (0.88, 0.61), (0.95, 0.7), (0.95, 0.75,
             0)]  # fmt: skip
    sole = curve(
        [(0.035, 0.73, 0), (0.965, 0.73, 0), (0.975, 0.79), (0.93, 0.84), (0.5, 0.835), (0.07, 0.845), (0.03, 0.8)]
    )
    laces = tuple(
        Mark(
            ((0.42 + k * 0.062, high + 0.09 + k * 0.045), (0.5 + k * 0.062, high + 0.045 + k * 0.05)),
            (236, 236, 232),
            0.018,
        )
        for k in range(4)
    )
    over = (
        Mark(sole, (232, 230, 224)),
        Mark(((0.04, 0.79), (0.965, 0.79)), (190, 188, 182), 0.008),
        Mark(curve([(0.77, 0.58), (0.74, 0.65), (0.76, 0.73)], closed=False), 0.7, 0.01),
        Mark(curve([(0.24, 0.73), (0.27, 0.58), (0.38, high + 0.08)], closed=False), 0.74, 0.01),
        *laces,
    )
    return Shape((curve(upper),), (), over)


def mug(rng: random.Random) -> Shape:
    low = rng.uniform(0.16, 0.22)
    body = (*oval(0.43, 0.2, 0.3, 0.06, start=180, end=0, n=14), *curve(
        [(0.73, 0.2), (0.725, 0.5), (0.86 - low, 0.86), (0.43, 0.905), (low, 0.86), (0.135, 0.5), (0.13, 0.2)],
        closed=False))  # fmt: skip
    handle = curve([(0.7, 0.33), (0.86, 0.33), (0.91, 0.48), (0.85, 0.64), (0.67, 0.68)], closed=False)
    inside = (Mark(oval(0.43, 0.205, 0.3, 0.062), 0.86), Mark(oval(0.43, 0.21, 0.265, 0.046), 0.55))
    return Shape((body,), (Mark(handle, 0.8, 0.085), Mark(handle, 0.98, 0.06)), inside)


def backpack(rng: random.Random) -> Shape:
    wide = rng.uniform(0.14, 0.2)
    left = [
        (0.5, 0.125),
        (0.32, 0.14),
        (wide + 0.03, 0.32),
        (wide, 0.6),
        (wide, 0.84),
        (wide + 0.05, 0.92),
        (0.5, 0.925),
    ]
    loop = curve([(0.42, 0.15), (0.42, 0.06), (0.5, 0.035), (0.58, 0.06), (0.58, 0.15)], closed=False)
    side = curve([(wide + 0.05, 0.3), (wide - 0.065, 0.5), (wide + 0.01, 0.86)], closed=False)
    other = tuple((1 - x, y) for x, y in side)
    over = (
        Mark(rounded(wide + 0.08, 0.56, 0.92 - wide, 0.87, 0.06), 0.88, 0.0) if rng.random() < 0.0 else
        Mark((*rounded(wide + 0.08, 0.56, 0.92 - wide, 0.87, 0.06), (0.92 - wide - 0.06, 0.56)), 0.66, 0.012),
        Mark(((wide + 0.1, 0.63), (0.9 - wide, 0.63)), (70, 70, 72), 0.014),
        Mark(curve([(wide + 0.07, 0.48), (0.3, 0.23), (0.5, 0.2), (0.7, 0.23), (0.93 - wide, 0.48)],
            closed=False), (80, 80, 84), 0.012),
        Mark(rounded(0.585, 0.62, 0.61, 0.69, 0.012), (200, 190, 150)),
    )  # fmt: skip
    return Shape(
        (curve(mirrored(left)),), (Mark(loop, 0.6, 0.035), Mark(side, 0.62, 0.05), Mark(other, 0.62, 0.05)), over
    )


def phone_case(rng: random.Random) -> Shape:
    x0, top = rng.uniform(0.25, 0.29), 0.05
    over = [Mark((*rounded(x0, top, 1 - x0, 0.95, 0.075), (1 - x0 - 0.075, top)), 0.66, 0.016)]
    if rng.random() < 0.6:
        over.append(Mark(rounded(x0 + 0.04, 0.09, x0 + 0.235, 0.27, 0.05), (48, 48, 52)))
        lenses = ((0.095, 0.135), (0.095, 0.22), (0.18, 0.178))
    else:
        over.append(Mark(rounded(0.4, 0.09, 0.6, 0.15, 0.03), (48, 48, 52)))
        lenses = ((0.445 - x0, 0.12), (0.5 - x0, 0.12), (0.555 - x0, 0.12))
    size = 0.03 if len(over) and lenses[0][1] > 0.13 else 0.02
    for dx, y in lenses:
        over += [
            Mark(oval(x0 + dx, y, size, size, n=14), (22, 22, 26)),
            Mark(oval(x0 + dx - 0.006, y - 0.006, size / 3, size / 3, n=8), (120, 140, 170)),
        ]
    return Shape((rounded(x0, top, 1 - x0, 0.95, 0.075),), (), tuple(over))


def cap(rng: random.Random) -> Shape:
    tall = rng.uniform(0.2, 0.27)
    dome = curve(
        [
            (0.08, 0.66, 0),
            (0.09, 0.48),
            (0.2, tall + 0.1),
            (0.4, tall),
            (0.58, tall + 0.06),
            (0.68, 0.42),
            (0.71, 0.62, 0),
            (0.4, 0.68),
        ]
    )
    visor = curve(
        [(0.66, 0.58, 0), (0.8, 0.58), (0.93, 0.65), (0.985, 0.735), (0.86, 0.72), (0.6, 0.665), (0.4, 0.67, 0)]
    )
    over = (
        Mark(curve([(0.4, 0.68), (0.55, 0.655), (0.71, 0.61)], closed=False), 0.62, 0.014),
        Mark(curve([(0.4, tall), (0.3, 0.42), (0.29, 0.67)], closed=False), 0.74, 0.009),
        Mark(curve([(0.4, tall), (0.53, 0.4), (0.56, 0.65)], closed=False), 0.74, 0.009),
        Mark(oval(0.4, tall + 0.005, 0.03, 0.018, n=12), 0.6),
        Mark(curve([(0.72, 0.63), (0.85, 0.65), (0.95, 0.715)], closed=False), 0.75, 0.008),
    )
    return Shape((dome, visor), (), over)


def umbrella(rng: random.Random) -> Shape:
    top = rng.uniform(0.1, 0.14)
    edge = [
        (0.97, 0.5, 0),
        (0.86, 0.465),
        (0.735, 0.51, 0),
        (0.62, 0.475),
        (0.5, 0.515, 0),
        (0.38, 0.475),
        (0.265, 0.51, 0),
        (0.14, 0.465),
    ]
    canopy = curve([(0.03, 0.5, 0), (0.1, 0.3), (0.28, top + 0.05), (0.5, top), (0.72, top + 0.05), (0.9, 0.3), *edge])
    ribs = tuple(
        Mark(curve([(0.5, top), ((0.5 + x) / 2 + (x - 0.5) * 0.24, 0.27), (x, 0.51)], closed=False), 0.7, 0.009)
        for x in (0.265, 0.5, 0.735)
    )
    hook = curve([(0.5, 0.45), (0.5, 0.86), (0.53, 0.93), (0.585, 0.925), (0.605, 0.86)], closed=False)
    stick = (Mark(((0.5, 0.05), (0.5, top + 0.03)), (90, 88, 86), 0.018), Mark(hook, (92, 84, 76), 0.026))
    return Shape((canopy,), stick, ribs)


def sock(rng: random.Random) -> Shape:
    top = rng.uniform(0.05, 0.14)
    body = [(0.3, top, 0), (0.58, top, 0), (0.585, 0.3), (0.6, 0.5), (0.72, 0.62), (0.88, 0.7), (0.93, 0.82),
        (0.84, 0.92),
            (0.66, 0.92), (0.45, 0.84), (0.31, 0.74), (0.27, 0.6), (0.3, 0.4)]  # fmt: skip
    cuff = tuple(Mark(((0.325 + k * 0.045, top + 0.005), (0.325 + k * 0.045, top + 0.1)), 0.72, 0.01) for k in range(6))
    over = (
        Mark(((0.3, top + 0.11), (0.583, top + 0.11)), 0.62, 0.014),
        Mark(curve([(0.275, 0.56), (0.4, 0.6), (0.42, 0.7), (0.36, 0.78)], closed=False), 0.66, 0.014),
        Mark(curve([(0.79, 0.655), (0.76, 0.78), (0.79, 0.92)], closed=False), 0.66, 0.014),
        *cuff,
    )
    return Shape((curve(body),), (), over)


SHAPES: dict[str, Callable[[random.Random], Shape]] = {
    "连衣裙": dress, "T恤": tshirt, "裤子": trousers, "鞋子": shoe, "杯子": mug,
    "背包": backpack, "手机壳": phone_case, "帽子": cap, "雨伞": umbrella, "袜子": sock,
}  # fmt: skip
