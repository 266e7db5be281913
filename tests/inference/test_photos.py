"""The JPEG that is kept, whatever a customer sends."""

from __future__ import annotations

import contextlib
import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageDraw

from bot.errors import PhotoError
from inference import photos
from inference.darkroom import Normalised
from inference.photos import LONGEST, normalise

ROOT = Path(__file__).parents[2]
PICTURES = Path(__file__).parent / "pictures"
RED, BLUE, WHITE = (200, 30, 30), (30, 60, 200), (255, 255, 255)


def keep(data: bytes, *, short_side: int = 768, max_bytes: int = 1_000_000) -> Normalised:
    return normalise(data, short_side=short_side, max_bytes=max_bytes, max_upload_bytes=20_000_000)


def fault(data: bytes, *, max_bytes: int = 1_000_000) -> str:
    with pytest.raises(PhotoError) as caught:
        keep(data, max_bytes=max_bytes)
    assert str(caught.value)
    return caught.value.reason


def red_blue(mode: str = "RGB", size: tuple[int, int] = (96, 64)) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", size, RED)
    ImageDraw.Draw(image).rectangle((size[0] // 2, 0, size[0] - 1, size[1] - 1), fill=BLUE)
    return image.convert(mode, palette=Image.Palette.ADAPTIVE)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def opened(kept: Normalised) -> Image.Image:
    image = Image.open(io.BytesIO(kept.jpeg), formats=["JPEG"])
    image.load()
    assert image.size == (kept.width, kept.height)
    assert image.mode == "RGB"
    assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}, "metadata was kept"
    return image


def looks(kept: Normalised, at: tuple[float, float], colour: tuple[int, int, int], within: int = 14) -> None:
    """The colour at a place given in parts of the sides."""
    image = opened(kept)
    pixel = image.getpixel((int(at[0] * (image.width - 1)), int(at[1] * (image.height - 1))))
    assert isinstance(pixel, tuple)
    assert all(abs(a - b) <= within for a, b in zip(pixel, colour, strict=True)), f"{pixel} is not {colour}"


LEFT, RIGHT, TOP, BOTTOM = (0.2, 0.5), (0.8, 0.5), (0.5, 0.2), (0.5, 0.8)


# ------------------------------------------------------------------------------------------------ formats and modes


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(saved(red_blue(), "JPEG", quality=95), id="jpeg"),
        pytest.param(saved(red_blue(), "JPEG", quality=95, progressive=True), id="progressive"),
        pytest.param(saved(red_blue(), "PNG"), id="png"),
        pytest.param(saved(red_blue("P"), "PNG"), id="palette"),
        pytest.param(saved(red_blue(), "WEBP", lossless=True), id="webp"),
        pytest.param(saved(red_blue("P"), "GIF"), id="gif"),
        pytest.param(saved(red_blue(), "MPO", save_all=True, append_images=[red_blue()], quality=95), id="mpo"),
        pytest.param((PICTURES / "red-blue.heic").read_bytes(), id="heic"),
    ],
)
def test_colours_of_every_format_are_kept(data: bytes) -> None:
    kept = keep(data)
    assert (kept.width, kept.height) == (96, 64)
    looks(kept, LEFT, RED)
    looks(kept, RIGHT, BLUE)


def test_cmyk_red_is_red() -> None:
    image = Image.new("CMYK", (64, 64), (0, 255, 255, 0))
    looks(keep(saved(image, "JPEG", quality=95)), LEFT, (255, 0, 0))


def test_cmyk_jpeg_without_adobes_mark_is_read_as_pillow_reads_it() -> None:
    data = saved(Image.new("CMYK", (64, 64), (0, 255, 255, 0)), "JPEG", quality=95)
    at = data.index(b"Adobe") - 4
    length = struct.unpack(">H", data[at + 2 : at + 4])[0]
    plain = data[:at] + data[at + 2 + length :]
    assert b"Adobe" not in plain
    opened(keep(plain))


def test_sixteen_bits_are_scaled_and_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    kept = keep(saved(Image.fromarray(ramp), "PNG"))
    looks(kept, (0.5, 0.0), (0, 0, 0), within=8)
    looks(kept, (0.5, 0.5), (127, 127, 127), within=8)
    looks(kept, (0.5, 1.0), (255, 255, 255), within=8)


def test_one_bit_is_black_and_white() -> None:
    image = Image.new("1", (64, 64), 0)
    ImageDraw.Draw(image).rectangle((32, 0, 63, 63), fill=1)
    kept = keep(saved(image, "PNG"))
    looks(kept, LEFT, (0, 0, 0))
    looks(kept, RIGHT, WHITE)


def transparent(mode: str) -> Image.Image:
    """Red on the left, blue that nobody can see on the right."""
    image = red_blue("RGBA")
    ImageDraw.Draw(image).rectangle((48, 0, 95, 63), fill=(*BLUE, 0))
    return image.convert(mode)


def _palette_with_a_hole() -> bytes:
    image = red_blue("P")
    hole = image.getpixel((90, 10))
    return saved(image, "PNG", transparency=hole)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(saved(transparent("RGBA"), "PNG"), id="png"),
        pytest.param(saved(transparent("RGBA"), "WEBP", lossless=True), id="webp"),
        pytest.param(_palette_with_a_hole(), id="palette"),
        pytest.param(saved(red_blue(), "PNG", transparency=BLUE), id="one colour of a png"),
        pytest.param(saved(transparent("RGBA"), "GIF"), id="gif"),
        pytest.param((PICTURES / "red-transparent.heic").read_bytes(), id="heic"),
    ],
)
def test_what_is_transparent_lies_on_white(data: bytes) -> None:
    kept = keep(data)
    looks(kept, LEFT, RED, within=20)
    looks(kept, RIGHT, WHITE)


def test_transparent_grey_lies_on_white() -> None:
    image = Image.new("LA", (64, 64), (40, 255))
    ImageDraw.Draw(image).rectangle((32, 0, 63, 63), fill=(40, 0))
    kept = keep(saved(image, "PNG"))
    looks(kept, LEFT, (40, 40, 40))
    looks(kept, RIGHT, WHITE)


def test_of_an_animation_the_first_frame_is_kept() -> None:
    frames = [Image.new("RGB", (64, 64), RED), Image.new("RGB", (64, 64), BLUE)]
    for kind in ("GIF", "WEBP", "PNG"):
        data = saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=100, loop=0)
        looks(keep(data), LEFT, RED)


# ------------------------------------------------------------------------------------------------ upright, sRGB, bare


def _stored(orientation: int) -> Image.Image:
    """A picture with red above and blue below, as a camera held that way stores it."""
    upright = Image.new("RGB", (64, 96), RED)
    ImageDraw.Draw(upright).rectangle((0, 48, 63, 95), fill=BLUE)
    turned = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    return upright if turned is None else upright.transpose(turned)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_turned_picture_is_put_upright(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    kept = keep(saved(_stored(orientation), kind, exif=exif.tobytes()))
    assert (kept.width, kept.height) == (64, 96)
    looks(kept, TOP, RED)
    looks(kept, BOTTOM, BLUE)


def test_a_turned_heic_is_turned_once() -> None:
    kept = keep((PICTURES / "red-blue-turned.heic").read_bytes())
    assert (kept.width, kept.height) == (64, 96)
    looks(kept, TOP, RED)
    looks(kept, BOTTOM, BLUE)


def test_broken_exif_does_not_spoil_a_good_picture() -> None:
    data = saved(red_blue(), "JPEG", exif=b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff" + b"\x01" * 40)
    looks(keep(data), LEFT, RED)


def test_position_and_camera_are_gone() -> None:
    exif = Image.Exif()
    exif[0x010F] = "SECRET-CAMERA"
    exif.get_ifd(0x8825)[1] = "N"
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>SECRET-XMP</x:xmpmeta>"
    data = saved(red_blue(), "JPEG", exif=exif.tobytes(), xmp=xmp, comment="SECRET-COMMENT", dpi=(300, 300))
    assert b"SECRET" in data
    kept = keep(data)
    opened(kept)
    assert b"SECRET" not in kept.jpeg
    assert b"Exif" not in kept.jpeg


def _swapped_profile() -> bytes:
    """An RGB profile whose red and green are exchanged: who ignores profiles shows the wrong colour."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", profile[128:132])[0]
    at = {bytes(profile[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(count)}
    red, green = at[b"rXYZ"], at[b"gXYZ"]
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_colour_profile_is_applied_and_then_gone(kind: str) -> None:
    image = Image.new("RGB", (64, 64), (0, 255, 0))
    data = saved(image, kind, icc_profile=_swapped_profile(), quality=95)
    looks(keep(data), LEFT, (255, 0, 0), within=24)


@pytest.mark.parametrize(
    "profile", [b"no profile at all", ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()]
)
def test_a_profile_that_cannot_be_used_is_ignored(profile: bytes) -> None:
    looks(keep(saved(red_blue(), "PNG", icc_profile=profile)), LEFT, RED)


# ------------------------------------------------------------------------------------------------ sizes


def test_the_short_side_is_shrunk() -> None:
    kept = keep(saved(red_blue(size=(4000, 3000)), "JPEG"), short_side=768)
    assert (kept.width, kept.height) == (1024, 768)
    looks(kept, LEFT, RED)
    looks(kept, RIGHT, BLUE)


def test_a_large_jpeg_is_shrunk_while_it_is_decoded() -> None:
    """Nobody sees a difference; without it the largest photos would not fit into their time."""
    data = saved(red_blue(size=(4000, 3200)), "JPEG")
    assert photos._pillow(data, "JPEG", 768).shrunk == 4
    assert keep(data).width == 960


def test_a_small_picture_is_never_enlarged() -> None:
    kept = keep(saved(red_blue(size=(40, 20)), "PNG"))
    assert (kept.width, kept.height) == (40, 20)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_strips_join_without_a_seam(kind: str) -> None:
    """Sizes that no strip and no factor divides, against the whole picture shrunk in one step."""
    size = (1531, 2311)
    smooth = noise((size[0] // 40, size[1] // 40)).convert("L").resize(size, Image.Resampling.BICUBIC)
    data = saved(smooth, kind)
    kept = keep(data, short_side=128)
    whole = Image.open(io.BytesIO(data)).convert("RGB").resize((kept.width, kept.height), Image.Resampling.LANCZOS)
    difference = np.abs(np.asarray(opened(kept), dtype=int) - np.asarray(whole, dtype=int))
    assert difference.mean() < 3
    assert difference.max() < 40


def test_a_long_strip_of_paper_is_bounded() -> None:
    kept = keep(saved(Image.new("RGB", (400, 12_000), RED), "PNG"), short_side=100)
    assert (kept.width, kept.height) == (27, LONGEST * 100)


@pytest.mark.parametrize("size", [(1, 20_000), (20_000, 1), (15, 400), (1, 1)])
def test_a_picture_with_a_tiny_side_shows_nothing(size: tuple[int, int]) -> None:
    assert fault(saved(Image.new("RGB", size), "PNG")) == "too_small"


def test_a_line_is_too_small_even_with_many_pixels() -> None:
    assert fault(saved(Image.new("L", (16, 30_000)), "PNG")) == "too_small"


def test_the_smallest_picture_that_is_taken() -> None:
    assert keep(saved(Image.new("RGB", (16, 16), RED), "PNG")).width == 16


def noise(size: tuple[int, int]) -> Image.Image:
    pixels = np.random.default_rng(3).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_quality_goes_before_pixels_to_fit() -> None:
    data = saved(noise((600, 600)), "PNG")
    free, tight = keep(data), keep(data, max_bytes=150_000)
    assert len(free.jpeg) > 150_000 >= len(tight.jpeg)
    assert (tight.width, tight.height) == (600, 600)


def test_pixels_go_when_quality_is_not_enough() -> None:
    kept = keep(saved(noise((600, 600)), "PNG"), max_bytes=20_000)
    assert len(kept.jpeg) <= 20_000
    assert 100 < kept.width < 600
    opened(kept)


def test_what_never_fits_is_too_big() -> None:
    assert fault(saved(noise((64, 64)), "PNG"), max_bytes=500) == "too_big"


# ------------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"%PDF-1.7\n" + saved(red_blue(), "JPEG"), id="pdf with a jpeg inside"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", id="svg"),
        pytest.param(saved(red_blue(), "TIFF"), id="tiff"),
        pytest.param(saved(red_blue(), "BMP"), id="bmp"),
        pytest.param(saved(red_blue("P"), "BLP"), id="blp"),
        pytest.param(b"8BPS\x00\x01" + b"\x00" * 100, id="psd"),
        pytest.param(b"PK\x03\x04" + b"\x00" * 100, id="zip"),
        pytest.param(b"\x00\x00\x00\x1cftypavif" + b"\x00" * 100, id="avif"),
        pytest.param(b"\x00\x00\x00\x1cftypisom" + b"\x00" * 100, id="film"),
        pytest.param("你好".encode(), id="words"),
    ],
)
def test_a_format_that_is_not_on_the_list_is_refused(data: bytes) -> None:
    assert fault(data) == "format"


def test_what_hangs_on_a_jpeg_is_gone() -> None:
    kept = keep(saved(red_blue(), "JPEG") + b"PK\x03\x04<script>alert(1)</script>")
    assert b"script" not in kept.jpeg


SOUND: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: saved(noise((200, 200)), "JPEG"),
    "PNG": lambda: saved(noise((200, 200)), "PNG"),
    "WEBP": lambda: saved(noise((200, 200)), "WEBP"),
    "GIF": lambda: saved(noise((200, 200)).convert("P"), "GIF"),
    "HEIF": lambda: (PICTURES / "red-blue.heic").read_bytes(),
}


@pytest.mark.parametrize("kind", SOUND)
@pytest.mark.parametrize("part", [0.02, 0.3, 0.8])
def test_a_truncated_picture_is_broken(kind: str, part: float) -> None:
    data = SOUND[kind]()
    assert fault(data[: max(12, int(len(data) * part))]) == "broken"


def test_nothing_is_broken() -> None:
    assert fault(b"") == "broken"


def test_an_upload_above_the_cap_is_too_big() -> None:
    data = saved(red_blue(), "PNG")
    with pytest.raises(PhotoError, match="at most") as caught:
        normalise(data, short_side=768, max_bytes=1_000_000, max_upload_bytes=len(data) - 1)
    assert caught.value.reason == "too_big"
    assert normalise(data, short_side=768, max_bytes=1_000_000, max_upload_bytes=len(data))


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_header(width: int, height: int) -> bytes:
    """A PNG that announces a size and holds no pixel."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


# VmHWM and not ru_maxrss, which a child inherits from the process that started it.
MEASURE = """
import sys
from pathlib import Path
from inference.photos import normalise

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])

data = sys.stdin.buffer.read()
before = peak()
kept = normalise(data, short_side=768, max_bytes=1_000_000, max_upload_bytes=20_000_000)
print(kept.width, kept.height, peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_the_largest_picture_that_is_taken_costs_less_than_400_mb() -> None:
    """50 megapixels with transparency: four bytes each once decoded, and not a second time for the rest."""
    width, height = 10_000, 5_000
    row = zlib.compressobj(1)
    body = b"".join(row.compress(b"\x00" + bytes(range(200)) * (width // 50)) for _ in range(height)) + row.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], input=data, capture_output=True, check=True, timeout=120, cwd=ROOT
    )
    kept_width, kept_height, kilobytes = map(int, done.stdout.split())
    assert (kept_width, kept_height) == (1536, 768)
    assert 150_000 < kilobytes < 400_000


@pytest.mark.parametrize("size", [(12_800, 12_800), (10_000, 5_001), (60_000, 60_000), (2**31 - 1, 20)])
def test_a_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    assert fault(png_header(*size)) == "too_many_pixels"


def test_the_cap_on_pixels_is_exact() -> None:
    assert fault(png_header(10_000, 5_000)) == "broken", "allowed, and then found to hold nothing"


def test_a_jpeg_that_walks_over_itself_a_thousand_times_is_broken() -> None:
    data = saved(noise((64, 64)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    assert fault(data[:last] + data[last:-2] * 1000 + data[-2:]) == "broken"


def test_a_progressive_jpeg_may_have_fewer_pixels_than_another() -> None:
    """It holds its whole spectrum in memory, where a baseline one is shrunk while it is decoded."""
    data = saved(red_blue(), "JPEG", progressive=True)
    size = data.index(b"\xff\xc2") + 5
    assert fault(data[:size] + struct.pack(">HH", 8_000, 8_000) + data[size + 4 :]) == "too_many_pixels"


def in_scans(size: tuple[int, int]) -> bytes:
    """A baseline JPEG of flat grey whose three components stand in scans of their own."""

    def segment(marker: int, body: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body

    width, height = size
    bits = -(-width // 8) * -(-height // 8) * 2
    flat = b"\0" * (bits // 8) + (bytes([(1 << (8 - bits % 8)) - 1]) if bits % 8 else b"")
    tables = b"".join(segment(0xC4, bytes([of]) + b"\1" + b"\0" * 16) for of in (0x00, 0x10))
    parts = b"".join(bytes([n, 0x11, 0]) for n in (1, 2, 3))
    head = segment(0xDB, b"\0" + b"\1" * 64) + segment(0xC0, struct.pack(">BHHB", 8, height, width, 3) + parts)
    scans = b"".join(segment(0xDA, bytes([1, n, 0, 0, 63, 0])) + flat for n in (1, 2, 3))
    return b"\xff\xd8" + head + tables + scans + b"\xff\xd9"


def test_a_jpeg_of_several_scans_may_have_no_more_pixels_than_a_progressive_one() -> None:
    """It looks like a baseline one, and holds its spectrum in memory all the same."""
    assert keep(in_scans((64, 48))).width == 64
    assert fault(in_scans((10_000, 5_008))) == "too_many_pixels"


def test_a_film_behind_a_photo_is_none_of_its_scans() -> None:
    """Phones hang one there; by chance it holds what looks like the beginning of a scan."""
    for photo in (saved(red_blue(), "JPEG"), saved(red_blue(), "JPEG", progressive=True)):
        assert keep(photo + b"\xff\xda\x00\x08film" * 1000).width == 96


def test_marks_inside_a_header_are_no_scans() -> None:
    data = saved(red_blue(), "JPEG")
    note = b"\xff\xda" * 100
    assert keep(data[:2] + struct.pack(">BBH", 0xFF, 0xFE, len(note) + 2) + note + data[2:]).width == 96


def test_a_heavy_heic_is_too_big() -> None:
    data = (PICTURES / "red-blue.heic").read_bytes()
    assert fault(data + b"\x00" * 8_000_000) == "too_big"


# ------------------------------------------------------------------------------------------------ whatever comes


def taken_or_refused(data: bytes) -> None:
    with contextlib.suppress(PhotoError):
        kept = keep(data, short_side=64, max_bytes=50_000)
        assert len(kept.jpeg) <= 50_000
        opened(kept)


MAGICS = [
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF89a",
    b"RIFF\x40\x00\x00\x00WEBPVP8 ",
    b"\x00\x00\x00\x18ftypheic",
]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([b"", *MAGICS]), st.binary(max_size=600))
def test_any_bytes_give_a_picture_or_a_reason(magic: bytes, rest: bytes) -> None:
    taken_or_refused(magic + rest)


MUTANTS = [
    saved(red_blue(), "JPEG"),
    saved(red_blue(), "JPEG", progressive=True),
    saved(Image.new("CMYK", (40, 40), (0, 255, 255, 0)), "JPEG"),
    saved(red_blue(), "PNG"),
    saved(red_blue("P"), "PNG", transparency=0),
    saved(transparent("RGBA"), "WEBP"),
    saved(red_blue("P"), "GIF", save_all=True, append_images=[red_blue("P").rotate(90)]),
    (PICTURES / "red-blue.heic").read_bytes(),
    (PICTURES / "red-transparent.heic").read_bytes(),
]


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(MUTANTS),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=12),
    st.floats(0.1, 1),
)
def test_a_mutated_picture_gives_a_picture_or_a_reason(
    data: bytes, changes: list[tuple[float, int]], part: float
) -> None:
    mutant = bytearray(data[: max(1, int(len(data) * part))])
    for place, value in changes:
        mutant[int(place * len(mutant))] = value
    taken_or_refused(bytes(mutant))
