"""Writes a Qwen3-VL pair of random weights: what a model of that shape costs, without downloading one.

    python -m bench.random_pair tiny|bench|8b FOLDER [--kind F16] [--seed 0]

``tiny`` (3 MB) is for tests, ``bench`` has the size of a 0.6 B, ``8b`` the true shape of Qwen3-VL-8B: its 36 layers
share one set of weights, so speed and memory are what they would be, and the words are noise. The vocabulary is
made here: bytes, the Chinese characters, English letter groups and the special tokens of ChatML, 151,936 in all for
the two big ones, as Qwen's has. Needs ``gguf`` (a development dependency).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from string import ascii_lowercase

import gguf
import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, TokenType, quants

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
TEMPLATE = (
    "{%- for m in messages %}{{'<|im_start|>' + m.role + '\n'}}"
    "{%- if m.content is string %}{{m.content}}"
    "{%- else %}{%- for c in m.content %}"
    "{%- if c.type == 'text' %}{{c.text}}{%- else %}<|vision_start|><|image_pad|><|vision_end|>{%- endif %}"
    "{%- endfor %}{%- endif %}{{'<|im_end|>\n'}}{%- endfor %}"
    "{%- if add_generation_prompt %}{{'<|im_start|>assistant\n'}}{%- endif %}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Widths and depths; names as in the architecture ``qwen3vl``."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    head: int
    inner: int
    context: int
    eye_width: int
    eye_layers: int
    eye_heads: int
    eye_inner: int
    deepstack: tuple[int, ...]
    #: All layers share one set of weights: the file's size is true, making it is quick.
    shared: bool = False


SHAPES = {
    "tiny": Shape(
        vocabulary=2048,
        width=128,
        layers=4,
        heads=4,
        kv_heads=2,
        head=32,
        inner=256,
        context=8192,
        eye_width=64,
        eye_layers=3,
        eye_heads=2,
        eye_inner=128,
        deepstack=(0, 1),
    ),
    "bench": Shape(
        vocabulary=151_936,
        width=1024,
        layers=28,
        heads=16,
        kv_heads=8,
        head=128,
        inner=3072,
        context=32_768,
        eye_width=768,
        eye_layers=12,
        eye_heads=12,
        eye_inner=3072,
        deepstack=(2, 5, 8),
    ),
    "8b": Shape(
        vocabulary=151_936,
        width=4096,
        layers=36,
        heads=32,
        kv_heads=8,
        head=128,
        inner=12_288,
        context=32_768,
        eye_width=1152,
        eye_layers=27,
        eye_heads=16,
        eye_inner=4304,
        deepstack=(8, 16, 24),
        shared=True,
    ),
}


def _byte_letters() -> list[str]:
    """The printable letter that stands for each byte in a byte-level vocabulary (GPT-2's rule)."""
    plain = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    letters, next_letter = [], 0x100
    for byte in range(256):
        letters.append(chr(byte) if byte in plain else chr(next_letter))
        next_letter += byte not in plain
    return letters


def _merged(letters: list[str]) -> Iterator[tuple[str, str]]:
    """Pairs to merge, each making a token: letter groups, heads of Chinese characters, then the characters."""
    yield from product(ascii_lowercase, repeat=2)
    han = [chr(code).encode() for code in (*range(0x3000, 0x3010), *range(0xFF01, 0xFF20), *range(0x4E00, 0xA000))]
    seen = set()
    for first, second, _ in han:
        if (first, second) not in seen:
            seen.add((first, second))
            yield letters[first], letters[second]
    for first, second, third in han:
        yield letters[first] + letters[second], letters[third]
    for one, two in product(product(ascii_lowercase, repeat=2), repeat=2):
        yield "".join(one), "".join(two)


def vocabulary(size: int) -> tuple[list[str], list[int], list[str]]:
    """(tokens, their types, merges) of a byte-level vocabulary of this size that speaks ChatML."""
    letters = _byte_letters()
    pairs = list(islice(_merged(letters), size - len(letters) - len(SPECIAL)))
    tokens = letters + [a + b for a, b in pairs]
    types = [TokenType.NORMAL] * len(tokens)
    while len(tokens) < size - len(SPECIAL):
        tokens.append(f"<|unused_{len(tokens)}|>")
        types.append(TokenType.UNUSED)
    return [*tokens, *SPECIAL], [*types, *[TokenType.CONTROL] * len(SPECIAL)], [f"{a} {b}" for a, b in pairs]


class _Weights:
    """Adds random tensors to a file, from one stream of a seeded generator."""

    def __init__(self, writer: GGUFWriter, shape: Shape, kind: GGMLQuantizationType, seed: int) -> None:
        self._writer, self._shape, self._kind = writer, shape, kind
        self._random = np.random.default_rng(seed)
        self._kept: dict[str, np.ndarray] = {}

    def ones(self, name: str, length: int) -> None:
        self._writer.add_tensor(f"{name}.weight", np.ones(length, np.float32))

    def zeros(self, name: str, length: int) -> None:
        self._writer.add_tensor(f"{name}.bias", np.zeros(length, np.float32))

    def matrix(self, name: str, rows: int, columns: int, scale: float | None = None) -> None:
        """Values of spread ``scale``, by default such that a unit input keeps its length."""
        key = name.split(".", 2)[-1] if name.startswith("blk.") and self._shape.shared else name
        if (made := self._kept.get(key)) is None:
            drawn = self._random.standard_normal((rows, columns), dtype=np.float32)
            made = quants.quantize(drawn * (scale or columns**-0.5), self._kind)
            if self._shape.shared:
                self._kept[key] = made
        self._writer.add_tensor(f"{name}.weight", made, raw_dtype=self._kind)

    def floats(self, name: str, shape: tuple[int, ...], scale: float) -> None:
        """A tensor that is always kept in full width."""
        self._writer.add_tensor(name, self._random.standard_normal(shape, dtype=np.float32) * np.float32(scale))


def _finish(writer: GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_text(path: Path, name: str, kind: GGMLQuantizationType, seed: int) -> None:
    s = SHAPES[name]
    w = GGUFWriter(path, "qwen3vl")
    tokens, types, merges = vocabulary(s.vocabulary)
    w.add_name(f"random qwen3vl {name}")
    w.add_context_length(s.context)
    w.add_embedding_length(s.width)
    w.add_block_count(s.layers)
    w.add_feed_forward_length(s.inner)
    w.add_head_count(s.heads)
    w.add_head_count_kv(s.kv_heads)
    w.add_key_length(s.head)
    w.add_value_length(s.head)
    w.add_layer_norm_rms_eps(1e-6)
    w.add_rope_freq_base(5e6)
    half = s.head // 2
    side = half * 20 // 64
    w.add_rope_dimension_sections([half - 2 * side, side, side, 0])
    w.add_num_deepstack_layers(len(s.deepstack))
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2")
    w.add_token_list(tokens)
    w.add_token_types(types)
    w.add_token_merges(merges)
    w.add_eos_token_id(tokens.index("<|im_end|>"))
    w.add_pad_token_id(tokens.index("<|endoftext|>"))
    w.add_add_bos_token(False)
    w.add_chat_template(TEMPLATE)
    weights = _Weights(w, s, kind, seed)
    weights.matrix("token_embd", s.vocabulary, s.width, scale=1.0)
    weights.matrix("output", s.vocabulary, s.width, scale=4 * s.width**-0.5)
    weights.ones("output_norm", s.width)
    for layer in range(s.layers):
        at = f"blk.{layer}."
        for norm, length in (
            ("attn_norm", s.width),
            ("ffn_norm", s.width),
            ("attn_q_norm", s.head),
            ("attn_k_norm", s.head),
        ):
            weights.ones(at + norm, length)
        weights.matrix(at + "attn_q", s.heads * s.head, s.width)
        weights.matrix(at + "attn_k", s.kv_heads * s.head, s.width)
        weights.matrix(at + "attn_v", s.kv_heads * s.head, s.width)
        weights.matrix(at + "attn_output", s.width, s.heads * s.head)
        weights.matrix(at + "ffn_gate", s.inner, s.width)
        weights.matrix(at + "ffn_up", s.inner, s.width)
        weights.matrix(at + "ffn_down", s.width, s.inner)
    _finish(w)


def write_projector(path: Path, name: str, seed: int) -> None:
    s = SHAPES[name]
    w = GGUFWriter(path, "clip")
    w.add_name(f"random projector {name}")
    w.add_clip_has_vision_encoder(True)
    w.add_clip_projector_type("qwen3vl_merger")
    w.add_vision_use_gelu(True)
    w.add_vision_image_size(768)
    w.add_vision_patch_size(16)
    w.add_vision_spatial_merge_size(2)
    w.add_vision_embedding_length(s.eye_width)
    w.add_vision_feed_forward_length(s.eye_inner)
    w.add_vision_block_count(s.eye_layers)
    w.add_vision_head_count(s.eye_heads)
    w.add_vision_attention_layernorm_eps(1e-6)
    w.add_vision_projection_dim(s.width)
    w.add_vision_image_mean([0.5] * 3)
    w.add_vision_image_std([0.5] * 3)
    w.add_vision_is_deepstack_layers([layer in s.deepstack for layer in range(s.eye_layers)])
    weights = _Weights(w, s, GGMLQuantizationType.F16, seed)

    def linear(at: str, rows: int, columns: int) -> None:
        weights.matrix(at, rows, columns)
        weights.zeros(at, rows)

    def norm(at: str, length: int) -> None:
        weights.ones(at, length)
        weights.zeros(at, length)

    eye = s.eye_width
    weights.floats("v.patch_embd.weight", (eye, 3, 16, 16), 0.05)
    weights.floats("v.patch_embd.weight.1", (eye, 3, 16, 16), 0.05)
    weights.zeros("v.patch_embd", eye)
    weights.floats("v.position_embd.weight", (48 * 48, eye), 0.5)
    for layer in range(s.eye_layers):
        at = f"v.blk.{layer}."
        linear(at + "attn_qkv", 3 * eye, eye)
        linear(at + "attn_out", eye, eye)
        linear(at + "ffn_up", s.eye_inner, eye)
        linear(at + "ffn_down", eye, s.eye_inner)
        norm(at + "ln1", eye)
        norm(at + "ln2", eye)
    norm("v.post_ln", eye)
    for layer in s.deepstack:
        at = f"v.deepstack.{layer}."
        norm(at + "norm", 4 * eye)
        linear(at + "fc1", 4 * eye, 4 * eye)
        linear(at + "fc2", s.width, 4 * eye)
    linear("mm.0", 4 * eye, 4 * eye)
    linear("mm.2", s.width, 4 * eye)
    _finish(w)


def write(name: str, folder: Path, kind: str = "F16", seed: int = 0) -> tuple[Path, Path]:
    """Writes both files, unless they are there. Returns (text model, projector)."""
    folder.mkdir(parents=True, exist_ok=True)
    text, projector = folder / f"random-{name}-{kind}.gguf", folder / f"random-{name}-mmproj.gguf"
    for path in (text, projector):
        if path.exists():
            continue
        part = path.with_suffix(".part")
        if path is text:
            write_text(part, name, gguf.GGMLQuantizationType[kind], seed)
        else:
            write_projector(part, name, seed)
        part.replace(path)
    return text, projector


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kind", default="F16", choices=("F16", "Q8_0", "Q4_0"))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for path in write(args.shape, args.folder, args.kind, args.seed):
        print(path, f"{path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
