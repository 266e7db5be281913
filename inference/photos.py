"""From whatever a customer sends to the one JPEG that is kept: upright, sRGB, on white, no metadata, small.

Nothing of the file is believed. The format is known by its first bytes and must be on the list; the size is read from
the header and capped before a pixel is decoded; the pixels are worked on in strips, so that a picture costs little more
than its decoder takes. Runs in a process of its own (:mod:`inference.darkroom`).
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import re
import resource
import signal
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageCms

from bot.errors import PhotoError
from inference.darkroom import HELLO, REPLY, REQUEST, Normalised

#: Most pixels by kind: what decodes within 400 MB and about two seconds of a core. A JPEG of one scan is shrunk while
#: it is decoded; one of several, progressive or not, holds its whole spectrum, WebP three canvases, in memory; an HEIC
#: in one piece is decoded by one thread.
PIXELS = {
    "JPEG": 120_000_000,
    "scans": 50_000_000,
    "PNG": 50_000_000,
    "GIF": 50_000_000,
    "WEBP": 24_000_000,
    "HEIF": 36_000_000,
}
#: Most bytes by kind, where bytes and not pixels take the time: HEVC unpacks 4 MB a second.
BYTES = {"HEIF": 8_000_000}
#: Most scans of a JPEG: a progressive one has about ten, and each walks over the whole picture again.
SCANS = 64
#: A marker among a JPEG's coded data: no stuffed zero, no restart, no filling.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_ALONE, _SCAN, _END = (0x01, 0xD8), 0xDA, 0xD9
#: Under this many pixels a side shows nothing.
LEAST = 16
#: A kept picture's longer side is at most so many times ``short_side``: a strip of paper costs no more than a page.
LONGEST = 8
QUALITIES = (90, 80, 70, 60, 50)
#: Rows that are turned into plain colours at a time.
STRIP = 256

#: Orientation as EXIF numbers it → what makes the picture upright.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112

#: Brands of the ISO base media format that hold HEVC pictures (ISO/IEC 23008-12).
_HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}

#: Pillow counts before we can; nothing above our own caps gets past it.
Image.MAX_IMAGE_PIXELS = max(PIXELS.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Negative:
    """A picture whose header was read."""

    #: Pixels as the header has them.
    width: int
    height: int
    #: The decoder gives one row and one column for so many.
    shrunk: int = 1
    #: Rows from … to, in any mode; the first call decodes.
    rows: Callable[[int, int], Image.Image]
    profile: bytes | None = None
    orientation: int = 1


def normalise(data: bytes, *, short_side: int, max_bytes: int, max_upload_bytes: int) -> Normalised:
    """The picture as it is kept. Raises :class:`PhotoError`, and nothing else, whatever the bytes are."""
    if len(data) > max_upload_bytes:
        raise PhotoError("too_big", f"{len(data)} bytes, at most {max_upload_bytes} are taken")
    kind = _kind(data)
    if len(data) > BYTES.get(kind, max_upload_bytes):
        raise PhotoError("too_big", f"{len(data)} bytes, {BYTES[kind]} are the most for {kind}")
    try:
        with warnings.catch_warnings():
            # Pillow talks about odd metadata on the side; none of it is kept.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _print(_develop(data, kind, short_side), max_bytes)
    except PhotoError:
        raise
    except (MemoryError, Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise PhotoError("too_many_pixels", f"{kind}: takes too much memory") from exc
    except Exception as exc:
        # Decoders stumble over hostile bytes in every way there is (struct.error, KeyError, RuntimeError, …).
        raise PhotoError("broken", f"{kind}: {type(exc).__name__}") from exc


def _kind(data: bytes) -> str:
    """The format by its first bytes. A decoder is only ever asked about its own."""
    if not data:
        raise PhotoError("broken", "no bytes")
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF:
        return "HEIF"
    raise PhotoError("format", "not a JPEG, PNG, WebP, GIF or HEIC")


def _develop(data: bytes, kind: str, short_side: int) -> Image.Image:
    negative = _heif(data) if kind == "HEIF" else _pillow(data, kind, short_side)
    wide, high = _target(negative.width, negative.height, short_side)
    image = _shrunk(negative, wide, high)
    image = _srgb(image, negative.profile)
    turn = UPRIGHT.get(negative.orientation)
    return image if turn is None else image.transpose(turn)


def _checked(width: int, height: int, kind: str) -> None:
    if min(width, height) < LEAST:
        raise PhotoError("too_small", f"{width}×{height} pixels")
    if width * height > PIXELS[kind]:
        raise PhotoError("too_many_pixels", f"{width}×{height} pixels, {PIXELS[kind]} are the most for {kind}")


def _target(width: int, height: int, short_side: int) -> tuple[int, int]:
    """The size to be kept: never enlarged, whatever the proportions."""
    shorter, longer = sorted((width, height))
    scale = min(1.0, short_side / shorter, LONGEST * short_side / longer)
    if shorter * scale < LEAST:
        raise PhotoError("too_small", f"{width}×{height} pixels: a line")
    return max(1, round(width * scale)), max(1, round(height * scale))


def _scans(data: bytes) -> int:
    """How often a JPEG walks over its picture. A film that a phone hangs behind its end does not count."""
    scans, at = 0, 2
    while found := _MARKER.search(data, at):
        marker, at = found[0][1], found.end()
        if marker == _END:
            break
        if marker not in _ALONE:
            scans += marker == _SCAN
            at += int.from_bytes(data[at : at + 2], "big")
    return scans


def _pillow(data: bytes, kind: str, short_side: int) -> _Negative:
    image = Image.open(io.BytesIO(data), formats=[kind])
    width, height = image.size
    scans = _scans(data) if kind == "JPEG" else 1
    _checked(width, height, "scans" if scans > 1 else kind)
    orientation = _orientation(image)
    profile = image.info.get("icc_profile")
    if kind == "JPEG":
        if scans > SCANS:
            raise PhotoError("broken", f"JPEG: {scans} scans")
        wide, high = _target(width, height, short_side)
        image.draft(None, (wide, high))
    shrunk = math.ceil(width / image.width)

    def rows(top: int, bottom: int) -> Image.Image:
        return image.crop((0, top, image.width, bottom))

    return _Negative(width=width, height=height, shrunk=shrunk, rows=rows, profile=profile, orientation=orientation)


def _heif(data: bytes) -> _Negative:
    """Not through Pillow's plugin: it would hold every pixel twice. libheif turns the picture upright itself."""
    import pi_heif  # type: ignore[import-untyped]  # only for those who send HEIC; carries no types

    file = pi_heif.HeifFile(data)
    image = file[file.primary_index]
    width, height = image.size
    _checked(width, height, "HEIF")

    def rows(top: int, bottom: int) -> Image.Image:
        stride = image.stride
        part = bytes(image.data[top * stride : bottom * stride])
        return Image.frombuffer(image.mode, (width, bottom - top), part, "raw", image.mode, stride, 1)

    return _Negative(width=width, height=height, rows=rows, profile=image.info.get("icc_profile"))


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        # Broken metadata (any error of a parser of hostile bytes) is no reason to refuse a good picture.
        return 1


def _shrunk(negative: _Negative, wide: int, high: int) -> Image.Image:
    """All rows in plain colours: first averaged strip by strip to twice the size at most, then resampled well."""
    whole = math.ceil(negative.height / negative.shrunk)
    factor = max(1, min(negative.width // wide, negative.height // high) // negative.shrunk // 2)
    step = factor * max(1, STRIP // factor)
    small: Image.Image | None = None
    for top in range(0, whole, step):
        strip = _plain(negative.rows(top, min(top + step, whole)))
        if factor > 1:
            strip = strip.reduce(factor)
        if small is None:
            small = Image.new(strip.mode, (strip.width, math.ceil(whole / factor)))
        small.paste(strip, (0, top // factor))
    assert small is not None
    # The last column and row may stand for fewer of the picture's than the others do.
    each = negative.shrunk * factor
    box = (0, 0, negative.width / each, negative.height / each)
    return small.resize((wide, high), Image.Resampling.LANCZOS, box=box)


def _plain(strip: Image.Image) -> Image.Image:
    """A strip in «L», «RGB» or «CMYK», what is transparent on white."""
    if strip.mode.startswith("I"):
        # 16 bits in one channel: Pillow would clip where it should scale.
        return strip.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if strip.has_transparency_data:
        strip = strip.convert("RGBA")
        white = Image.new("RGB", strip.size, "white")
        white.paste(strip, mask=strip.getchannel("A"))
        return white
    if strip.mode in ("L", "RGB", "CMYK"):
        return strip
    return strip.convert("L" if strip.mode == "1" else "RGB")


def _srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    spaces = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if spaces.get(source.profile.xcolor_space) == image.mode:
                converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
                assert converted is not None
                return converted
        except (ImageCms.PyCMSError, OSError):
            # A profile that cannot be used: the plain conversion is what most viewers show then.
            pass
    return image.convert("RGB")


def _print(image: Image.Image, max_bytes: int) -> Normalised:
    """The best JPEG that fits: less quality first, then fewer pixels."""
    while min(image.size) >= LEAST:
        for quality in QUALITIES:
            out = io.BytesIO()
            # A fresh picture carries no metadata that Pillow could write.
            image.save(out, "JPEG", quality=quality)
            if out.tell() <= max_bytes:
                return Normalised(jpeg=out.getvalue(), width=image.width, height=image.height)
        image = image.resize((round(image.width * 0.8), round(image.height * 0.8)), Image.Resampling.LANCZOS)
    raise PhotoError("too_big", f"does not fit into {max_bytes} bytes")


def serve() -> None:
    """The child's life: pictures from standard input, JPEGs to standard output, until the bot closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _bound()
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    stdout.write(HELLO)
    stdout.flush()
    while len(head := stdin.read(REQUEST.size)) == REQUEST.size:
        size, short_side, max_bytes = REQUEST.unpack(head)
        data = stdin.read(size)
        if len(data) < size:
            return
        _clock()
        try:
            done = normalise(data, short_side=short_side, max_bytes=max_bytes, max_upload_bytes=size)
            reply = REPLY.pack(1, done.width, done.height, len(done.jpeg)) + done.jpeg
        except PhotoError as exc:
            fault = json.dumps({"reason": exc.reason, "detail": str(exc)}).encode()
            reply = REPLY.pack(0, 0, 0, len(fault)) + fault
        stdout.write(reply)
        stdout.flush()


#: Seconds of processor that one picture may take, on however busy a machine. Above: the kernel ends the child.
SECONDS = 10
#: Bytes of data that the child may ever hold: above what any allowed picture takes, below what hurts the host.
MEMORY = 768 << 20


def _bound() -> None:
    _limit(resource.RLIMIT_DATA, MEMORY)
    _limit(resource.RLIMIT_CORE, 0)


def _clock() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime) + SECONDS)


def _limit(limit: int, most: int) -> None:
    _, hard = resource.getrlimit(limit)
    if hard == resource.RLIM_INFINITY or hard > most:
        # Some systems know a limit and let nobody set it: the caps on pixels hold there too.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(limit, (most, hard))
