"""Photos: from a JPEG to the rows that stand for it in the prompt, made once and kept by the photo's hash."""

from __future__ import annotations

import ctypes
import io
import math
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from llama_cpp import mtmd_cpp as m
from numpy.typing import NDArray

from bot.errors import EngineError, ModelError
from bot.model import Photo
from inference import gguf
from inference.llama import logs
from inference.llama.context import Floats, Model
from inference.llama.sequence import Grid
from inference.llama.settings import Settings

#: A photo is never shown with fewer tokens: a thumbnail is enlarged to it.
LEAST = 16


def grid(photo: Photo, most: int, unit: int, *, square: bool) -> Grid:
    """How a photo is laid out: its own size in units of ``unit`` pixels, shrunk (or enlarged) to the allowed count."""
    if square:
        side = math.isqrt(most)
        return Grid(columns=side, rows=side)
    columns, rows = photo.width / unit, photo.height / unit
    area, least = columns * rows, min(LEAST, most)
    scale = math.sqrt(max(least, min(area, most)) / area)
    wide = max(1, min(_whole(columns * scale, down=area > most), most))
    # The shorter side of a very long picture cannot go below one token: the longer one gives way.
    return Grid(columns=wide, rows=max(1, min(_whole(rows * scale, down=area > most), most // wide)))


def _whole(side: float, *, down: bool) -> int:
    return int(side) if down else round(side)


def largest(most: int, *, square: bool) -> Grid:
    """The layout of a big square photo: what a photo costs at most."""
    side = math.isqrt(most)
    return Grid(columns=side, rows=side if square else most // side)


def pixels(jpeg: bytes, layout: Grid, unit: int, *, square: bool) -> NDArray[np.uint8]:
    """The picture in exactly the size of its layout, as rows × columns × RGB.

    ``square``: the shorter sides are filled with the colour of the picture's edge first.
    """
    from PIL import Image  # only where a photo comes

    with Image.open(io.BytesIO(jpeg)) as opened:
        picture = opened.convert("RGB")
    if square and picture.width != picture.height:
        side = max(picture.size)
        edge = np.asarray(picture)
        border = np.concatenate([edge[0], edge[-1], edge[:, 0], edge[:, -1]])
        colour = tuple(int(part) for part in np.median(border, axis=0))
        ground = Image.new("RGB", (side, side), colour)
        ground.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
        picture = ground
    size = (layout.columns * unit, layout.rows * unit)
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    return np.ascontiguousarray(picture)


class Projector:
    """The part of the model that sees. Called from the model's thread only."""

    def __init__(self, model: Model, settings: Settings, threads: int) -> None:
        """Raises :class:`ModelError` when the file is no projector, or that of another model."""
        header = gguf.read(settings.projector)
        #: Pixels along the side of the square that becomes one visual token.
        self.unit = header.number("clip.vision.patch_size") * (header.number("clip.vision.spatial_merge_size") or 2)
        self._model = model
        params = m.mtmd_context_params_default()
        params.use_gpu = settings.gpu_layers != 0
        params.n_threads = threads
        params.print_timings = False
        # The default warm-up encodes a picture of 2,116 tokens.
        params.warmup = False
        params.image_min_tokens = 1
        params.image_max_tokens = settings.visual_tokens
        self.pointer = m.mtmd_init_from_file(str(settings.projector).encode(), model.pointer, params)
        if not self.pointer:
            raise ModelError(
                f"{settings.projector} cannot be used with {settings.model.name}: it is damaged, or the projector of "
                f"another model ({logs.complaint() or 'no further reason was given'})"
            )
        if not m.mtmd_support_vision(self.pointer) or not m.mtmd_decode_use_mrope(self.pointer):
            m.mtmd_free(self.pointer)
            raise ModelError(f"{settings.projector} is not the projector of a Qwen model that sees pictures")
        self._marker = m.mtmd_default_marker()

    def __enter__(self) -> Projector:
        return self

    def __exit__(self, *exc: object) -> None:
        m.mtmd_free(self.pointer)

    def encode(self, rgb: NDArray[np.uint8], layout: Grid) -> Floats:
        """The rows of one picture: cells × the model's input width. Seconds on a plain processor; uninterruptible."""
        height, width, _ = rgb.shape
        bitmap = m.mtmd_bitmap_init(width, height, rgb.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8)))
        chunks = m.mtmd_input_chunks_init()
        try:
            text = m.mtmd_input_text(self._marker, len(self._marker), False, True)
            one = (m.mtmd_bitmap_p_ctypes * 1)(bitmap)
            if m.mtmd_tokenize(self.pointer, chunks, ctypes.byref(text), one, 1):
                raise EngineError(f"a photo could not be prepared ({logs.complaint()})")
            return self._rows(chunks, layout)
        finally:
            m.mtmd_input_chunks_free(chunks)
            m.mtmd_bitmap_free(bitmap)

    def _rows(self, chunks: int, layout: Grid) -> Floats:
        for at in range(m.mtmd_input_chunks_size(chunks)):
            chunk = m.mtmd_input_chunks_get(chunks, at)
            if m.mtmd_input_chunk_get_type(chunk) != m.MTMD_INPUT_CHUNK_TYPE_IMAGE:
                continue
            count = m.mtmd_input_chunk_get_n_tokens(chunk)
            if count != layout.cells or m.mtmd_input_chunk_get_n_pos(chunk) != layout.positions:
                raise EngineError(f"a photo took {count} tokens where {layout.cells} were agreed")
            if m.mtmd_encode_chunk(self.pointer, chunk):
                raise EngineError(f"a photo could not be encoded ({logs.complaint()})")
            rows = np.ctypeslib.as_array(m.mtmd_get_output_embd(self.pointer), (count, self._model.row))
            return rows.copy()
        raise EngineError("a photo was taken apart into nothing")


@dataclass(slots=True)
class Album:
    """Encoded photos by hash, the least recently used ones given up first; ``limit`` in bytes."""

    limit: int
    _rows: OrderedDict[str, Floats]

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._rows = OrderedDict()

    def __contains__(self, sha256: str) -> bool:
        return sha256 in self._rows

    def get(self, sha256: str) -> Floats | None:
        if (rows := self._rows.get(sha256)) is not None:
            self._rows.move_to_end(sha256)
        return rows

    def put(self, sha256: str, rows: Floats) -> None:
        self._rows[sha256] = rows
        self._rows.move_to_end(sha256)
        while len(self._rows) > 1 and sum(kept.nbytes for kept in self._rows.values()) > self.limit:
            self._rows.popitem(last=False)

    def forget(self, sha256: str) -> None:
        self._rows.pop(sha256, None)

    def clear(self) -> None:
        self._rows.clear()
