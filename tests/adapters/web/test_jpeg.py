"""The size of a stored photo, from its header."""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from adapters.web import jpeg
from bot.errors import PhotoError


@pytest.mark.parametrize("size", [(1, 1), (17, 300), (768, 1024)])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_width_and_height_are_those_of_the_picture(size: tuple[int, int], progressive: bool, mode: str) -> None:
    out = io.BytesIO()
    Image.new(mode, size).save(out, "JPEG", progressive=progressive, comment=b"\xff\xc0" * 9)
    assert jpeg.size(out.getvalue()) == size


def test_padding_and_lone_markers_are_passed_over() -> None:
    frame = b"\xff\xc0\x00\x0b\x08\x00\x05\x00\x07\x01\x01\x11\x00"
    assert jpeg.size(b"\xff\xd8\xff\x01\xff\xff\xff\xd0\xff\xfe\x00\x04ab" + frame) == (7, 5)


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail_in_another_way(data: bytes) -> None:
    for whole in (data, b"\xff\xd8" + data, b"\xff\xd8\xff" + data):
        with contextlib.suppress(PhotoError):
            assert min(jpeg.size(whole)) >= 0


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\x89PNG", b"\xff\xd8\xff\xd9", b"\xff\xd8\xff\xc4\x00\x02" * 3])
def test_what_is_no_jpeg_is_broken(data: bytes) -> None:
    with pytest.raises(PhotoError) as no:
        jpeg.size(data)
    assert no.value.reason == "broken"
