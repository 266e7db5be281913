"""The size of a JPEG, read from its header: the photo store keeps nothing but JPEG, and a page need not be believed."""

from __future__ import annotations

from bot.errors import PhotoError

#: Start of frame, in all its codings; C4, C8 and CC in between are other things.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: Markers that stand alone, without a length.
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})


def size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels. Raises :class:`~bot.errors.PhotoError` when this is no JPEG."""
    at = 2 if data[:2] == b"\xff\xd8" else len(data)
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in _FRAMES:
            return int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7])
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4])
    raise PhotoError("broken", "a stored photo is not a JPEG; restore the photo store from its backup")
