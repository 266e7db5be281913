"""The header of a GGUF file, read by our own hand before llama.cpp sees the file.

llama.cpp trusts a file that opens well; a shop's download may be cut off, a projector may lie in the place of the
model, a projector may belong to another model. Here that is a sentence. Every length is checked against the file before
anything is read, and every count has a cap. Layout: the GGUF specification of ggml, versions 2 and 3, little-endian.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from bot.errors import ModelError

MAGIC = b"GGUF"
#: What a header may hold at most. Vocabularies have up to 262,144 words; a 70B model has 723 tensors.
MOST_KEYS, MOST_TENSORS, MOST_ITEMS = 4096, 65_536, 4_194_304
MOST_NAME, MOST_STRING, MOST_HEADER = 65_535, 16 << 20, 256 << 20
#: Items of an array that are kept; longer ones (vocabularies) are passed over.
KEPT_ITEMS = 1024

#: Projectors of the first years: their «projection_dim» is the tower's own and says nothing of the text model.
OLD_PROJECTORS = {"mlp", "mlp_norm", "ldp", "ldpv2", "resampler"}

Value = int | float | bool | str | tuple["Value", ...] | None

_SCALARS = {
    0: struct.Struct("<B"),
    1: struct.Struct("<b"),
    2: struct.Struct("<H"),
    3: struct.Struct("<h"),
    4: struct.Struct("<I"),
    5: struct.Struct("<i"),
    6: struct.Struct("<f"),
    7: struct.Struct("<?"),
    10: struct.Struct("<Q"),
    11: struct.Struct("<q"),
    12: struct.Struct("<d"),
}
_STRING, _ARRAY = 8, 9

#: Type of a tensor → (weights in a block, bytes of a block), as ggml lays them out.
BLOCKS = {
    0: (1, 4),  # F32
    1: (1, 2),  # F16
    2: (32, 18),  # Q4_0
    3: (32, 20),  # Q4_1
    6: (32, 22),  # Q5_0
    7: (32, 24),  # Q5_1
    8: (32, 34),  # Q8_0
    10: (256, 84),  # Q2_K
    11: (256, 110),  # Q3_K
    12: (256, 144),  # Q4_K
    13: (256, 176),  # Q5_K
    14: (256, 210),  # Q6_K
    15: (256, 292),  # Q8_K
    16: (256, 66),  # IQ2_XXS
    17: (256, 74),  # IQ2_XS
    18: (256, 98),  # IQ3_XXS
    19: (256, 50),  # IQ1_S
    20: (32, 18),  # IQ4_NL
    21: (256, 110),  # IQ3_S
    22: (256, 82),  # IQ2_S
    23: (256, 136),  # IQ4_XS
    24: (1, 1),  # I8
    25: (1, 2),  # I16
    26: (1, 4),  # I32
    27: (1, 8),  # I64
    28: (1, 8),  # F64
    29: (256, 56),  # IQ1_M
    30: (1, 2),  # BF16
    34: (256, 54),  # TQ1_0
    35: (256, 66),  # TQ2_0
    39: (32, 17),  # MXFP4
    40: (64, 36),  # NVFP4
    41: (128, 18),  # Q1_0
    42: (64, 18),  # Q2_0
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the file says of itself."""

    path: Path
    #: Bytes of the whole file.
    size: int
    values: dict[str, Value] = field(repr=False)

    @property
    def architecture(self) -> str:
        return self.text("general.architecture")

    @property
    def name(self) -> str:
        return self.text("general.name") or self.path.stem

    @property
    def is_projector(self) -> bool:
        return self.architecture == "clip"

    @property
    def sees(self) -> bool:
        """Whether a projector is one for pictures (there are some for sound)."""
        return self.values.get("clip.has_vision_encoder") is True

    @property
    def projector(self) -> str:
        return self.text("clip.projector_type") or self.text("clip.vision.projector_type")

    @property
    def width(self) -> int:
        """Numbers per token: what a text model takes in, what a projector gives out."""
        return self.number(
            "clip.vision.projection_dim" if self.is_projector else f"{self.architecture}.embedding_length"
        )

    @property
    def deepstack(self) -> int:
        """Layers of the text model that are fed from the picture directly (Qwen3-VL)."""
        if not self.is_projector:
            return self.number(f"{self.architecture}.n_deepstack_layers")
        marks = self.values.get("clip.vision.is_deepstack_layers")
        return sum(mark is True for mark in marks) if isinstance(marks, tuple) else 0

    @property
    def layers(self) -> int:
        return self.number(f"{self.architecture}.block_count")

    @property
    def context(self) -> int:
        """Most tokens that it was trained for."""
        return self.number(f"{self.architecture}.context_length")

    @property
    def kv_bytes_per_cell(self) -> int:
        """F16 keys and values of one cell; 0 when the file does not say."""
        at = f"{self.architecture}.attention."
        heads = self.values.get(f"{at}head_count_kv")
        all_heads = sum(h for h in heads if isinstance(h, int)) if isinstance(heads, tuple) else None
        if all_heads is None:
            # Of a hybrid model only every so many-th layer has keys and values.
            attending = self.layers // max(1, self.number(f"{self.architecture}.full_attention_interval"))
            all_heads = attending * (heads if isinstance(heads, int) else self.number(f"{at}head_count"))
        queries = self.number(f"{at}head_count")
        plain = self.width // queries if queries else 0
        return 2 * all_heads * ((self.number(f"{at}key_length") or plain) + (self.number(f"{at}value_length") or plain))

    @property
    def template(self) -> str:
        """The chat template, as the file has it."""
        return self.text("tokenizer.chat_template")

    @property
    def prompt_sha256(self) -> str | None:
        """Hash of the system text that a model was trained on, when it is tied to one."""
        return self.text("zhanggui.prompt_sha256") or None

    def text(self, key: str) -> str:
        value = self.values.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> int:
        value = self.values.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def read(path: Path) -> Header:
    """The header of a file that is whole. Raises :class:`ModelError`."""
    try:
        with path.open("rb") as file:
            return _Reader(path, file).header()
    except FileNotFoundError as exc:
        raise ModelError(f"{path}: there is no such file") from exc
    except OSError as exc:
        raise ModelError(f"{path}: cannot be read ({exc.strerror})") from exc


def pair(text: Header, projector: Header) -> None:
    """Checks that the two files belong together. Raises :class:`ModelError`."""
    if text.is_projector:
        swapped = "; the two files are swapped" if not projector.is_projector else ""
        raise ModelError(f"{text.path}: this is a projector (mmproj), not a language model{swapped}")
    if not projector.is_projector:
        raise ModelError(f"{projector.path}: this is a language model, not a projector (mmproj); it cannot see")
    if not projector.sees:
        raise ModelError(f"{projector.path}: this projector is not for pictures")
    if not text.width or not text.layers:
        raise ModelError(f"{text.path}: this is not a language model ({text.architecture or 'it does not say what'})")
    if projector.projector in OLD_PROJECTORS:
        return
    if (text.width, text.deepstack) != (projector.width, projector.deepstack):
        raise ModelError(
            f"{projector.path}: this projector belongs to another model (it gives {_shape(projector)}, "
            f"{text.path.name} takes {_shape(text)}); take the mmproj from the model's own repository"
        )


def _shape(header: Header) -> str:
    return f"{header.width} numbers per token" + (f" in {header.deepstack + 1} layers" if header.deepstack else "")


class _Reader:
    """Walks through the header once, front to back."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._size = path.stat().st_size
        self._at = 0

    def header(self) -> Header:
        if self._take(4) != MAGIC:
            raise self._bad("not a GGUF file")
        version = self._number(4)
        if version not in (2, 3):
            raise self._bad(f"GGUF version {version} is not understood")
        tensors, keys = self._number(10), self._number(10)
        if tensors > MOST_TENSORS or keys > MOST_KEYS:
            raise self._bad("its header is damaged")
        values: dict[str, Value] = {}
        for _ in range(keys):
            key = self._string(MOST_NAME)
            values[key] = self._value(self._number(4))
        need = self._tensors(tensors, values)
        if need > self._size:
            raise self._bad(f"it is cut off: {need} bytes are announced, {self._size} are there")
        return Header(path=self._path, size=self._size, values=values)

    def _tensors(self, count: int, values: dict[str, Value]) -> int:
        """Bytes that the file must have."""
        ends = [0]
        for _ in range(count):
            self._string(MOST_NAME)
            dimensions = self._number(4)
            if dimensions > 4:
                raise self._bad("its header is damaged")
            weights = math.prod(self._number(10) for _ in range(dimensions))
            block, size = BLOCKS.get(self._number(4), (1, 0))
            ends.append(self._number(10) + weights // block * size)
        alignment = values.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1):
            raise self._bad("its header is damaged")
        return -(-self._at // alignment) * alignment + max(ends) if count else self._at

    def _value(self, kind: int) -> Value:
        if kind == _STRING:
            return self._string(MOST_STRING)
        if kind != _ARRAY:
            return self._scalar(kind)
        kind, count = self._number(4), self._number(10)
        if count > MOST_ITEMS or kind == _ARRAY:
            raise self._bad("its header is damaged")
        if count <= KEPT_ITEMS:
            return tuple(self._value(kind) for _ in range(count))
        if kind == _STRING:
            self._pass_strings(count)
        elif kind in _SCALARS:
            self._take(count * _SCALARS[kind].size)
        else:
            raise self._bad("its header is damaged")
        return None

    def _pass_strings(self, count: int) -> None:
        """A vocabulary: 300,000 strings that nobody needs, so without a call for each."""
        read, at, end = self._file.read, self._at, min(self._size, MOST_HEADER)
        for _ in range(count):
            length = int.from_bytes(read(8), "little")
            at += 8 + length
            if at > end:
                raise self._bad("it is cut off or damaged: its header goes on past its end")
            read(length)
        self._at = at

    def _scalar(self, kind: int) -> int | float | bool:
        if kind not in _SCALARS:
            raise self._bad("its header is damaged")
        layout = _SCALARS[kind]
        value: int | float | bool = layout.unpack(self._take(layout.size))[0]
        return value

    def _number(self, kind: int) -> int:
        return int(self._scalar(kind))

    def _length(self, most: int) -> int:
        length = self._number(10)
        if length > most:
            raise self._bad("its header is damaged")
        return length

    def _string(self, most: int) -> str:
        # Vocabularies and names are UTF-8; a damaged letter is not what makes a file unusable.
        return self._take(self._length(most)).decode("utf-8", "replace")

    def _take(self, count: int) -> bytes:
        self._at += count
        if self._at > MOST_HEADER:
            raise self._bad("its header is damaged")
        data = self._file.read(count)
        if len(data) < count:
            raise self._bad("it is cut off or damaged: its header goes on past its end")
        return data

    def _bad(self, what: str) -> ModelError:
        return ModelError(f"{self._path}: {what}; get the file again")
