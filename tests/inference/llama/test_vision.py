"""Photos: their layout, their pixels, and the album of encoded ones."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.model import Photo
from inference.llama.sequence import Grid
from inference.llama.vision import Album, grid, largest, pixels


def sized(width: int, height: int) -> Photo:
    return Photo(sha256="0" * 64, media_type="image/jpeg", width=width, height=height)


def jpeg(width: int, height: int, colour: tuple[int, int, int] = (200, 30, 30)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, "JPEG", quality=95)
    return out.getvalue()


@pytest.mark.parametrize(
    ("size", "most", "layout"),
    [
        ((512, 512), 256, (16, 16)),
        ((768, 768), 576, (24, 24)),
        ((768, 768), 256, (16, 16)),
        ((1024, 768), 256, (18, 13)),
        ((32, 32), 256, (4, 4)),
        ((64, 640), 256, (2, 20)),
        ((768, 30_000), 256, (2, 100)),
        ((30_000, 20), 256, (256, 1)),
        ((20, 30_000), 256, (1, 256)),
    ],
)
def test_a_photo_keeps_its_form_within_the_allowed_tokens(
    size: tuple[int, int], most: int, layout: tuple[int, int]
) -> None:
    got = grid(sized(*size), most, 32, square=False)
    assert (got.columns, got.rows) == layout


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 40_000), st.integers(1, 40_000), st.integers(4, 1024))
def test_no_photo_takes_more_than_is_allowed(width: int, height: int, most: int) -> None:
    got = grid(sized(width, height), most, 32, square=False)
    assert 1 <= got.cells <= most
    assert got.columns >= 1
    assert got.rows >= 1


def test_a_model_that_knows_squares_gets_them() -> None:
    assert grid(sized(100, 900), 16, 32, square=True) == Grid(columns=4, rows=4)
    assert largest(16, square=True) == Grid(columns=4, rows=4)
    assert largest(100, square=False).cells == 100


def test_the_picture_has_exactly_the_layouts_size() -> None:
    assert pixels(jpeg(500, 333), Grid(columns=3, rows=2), 32, square=False).shape == (64, 96, 3)


def test_a_square_is_filled_with_the_edges_colour() -> None:
    got = pixels(jpeg(256, 128, (200, 30, 30)), Grid(columns=4, rows=4), 32, square=True)
    assert got.shape == (128, 128, 3)
    assert np.abs(got.astype(int) - (200, 30, 30)).max() < 12


def test_the_least_recently_used_rows_are_given_up() -> None:
    album = Album(limit=3 * 400)
    for name in "abc":
        album.put(name, np.zeros((10, 10), np.float32))
    assert album.get("a") is not None
    album.put("d", np.zeros((10, 10), np.float32))
    assert ["b" in album, "a" in album, "c" in album, "d" in album] == [False, True, True, True]
    album.forget("a")
    album.forget("unknown")
    assert album.get("a") is None


def test_one_photo_is_kept_however_small_the_album_is() -> None:
    album = Album(limit=0)
    album.put("a", np.zeros((10, 10), np.float32))
    assert "a" in album
