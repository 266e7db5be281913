"""Checkpoint → ``demo.gguf`` and ``demo-mmproj.gguf``: every key and tensor name that llama.cpp wants of a Qwen3-VL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, quants
from tokenizers import Tokenizer
from torch import Tensor

from inference.demo.towers import GRID, PATCH, Shape, Text, Vision

NAME = "xiaoman-demo"
LICENCE = "apache-2.0"
#: Token types of GGUF.
_NORMAL, _CONTROL, _OWN = 1, 3, 4
#: Qwen's own chat template without tools and video: what other programs need; the engine renders ChatML itself.
TEMPLATE = (
    "{%- for m in messages %}{{'<|im_start|>' + m.role + '\\n'}}{%- if m.content is string %}{{m.content}}{%- else %}"
    "{%- for c in m.content %}{%- if c.type == 'text' %}{{c.text}}"
    "{%- else %}<|vision_start|><|image_pad|><|vision_end|>"
    "{%- endif %}{%- endfor %}{%- endif %}{{'<|im_end|>\\n'}}{%- endfor %}"
    "{%- if add_generation_prompt %}{{'<|im_start|>assistant\\n'}}{%- endif %}"
)


def _put(writer: GGUFWriter, name: str, weight: Tensor, kind: GGMLQuantizationType = GGMLQuantizationType.F32) -> None:
    """A matrix in ``kind``, anything else in F32. Q8_0 wants rows of a multiple of 32: others stay F16."""
    array = np.ascontiguousarray(weight.detach().float().numpy())
    if array.ndim < 2:
        kind = GGMLQuantizationType.F32
    if kind is GGMLQuantizationType.Q8_0 and array.shape[-1] % 32:
        kind = GGMLQuantizationType.F16
    if kind is GGMLQuantizationType.F32:
        writer.add_tensor(name, array)
    elif kind is GGMLQuantizationType.F16:
        writer.add_tensor(name, array.astype(np.float16))
    else:
        writer.add_tensor(name, quants.quantize(array, kind), raw_dtype=kind)


def _finish(writer: GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _about(writer: GGUFWriter, name: str) -> None:
    writer.add_name(name)
    writer.add_license(LICENCE)
    writer.add_description("A tiny Qwen3-VL that knows the demonstration shop of zhanggui and nothing else")


def _vocabulary(writer: GGUFWriter, tokenizer: Tokenizer) -> None:
    raw: dict[str, Any] = json.loads(tokenizer.to_str())
    names = {number: name for name, number in raw["model"]["vocab"].items()}
    types = dict.fromkeys(names, _NORMAL)
    for added in raw["added_tokens"]:
        names[added["id"]] = added["content"]
        types[added["id"]] = _CONTROL if added["special"] else _OWN
    order = range(max(names) + 1)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([names[k] for k in order])
    writer.add_token_types([types[k] for k in order])
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in raw["model"]["merges"]])
    writer.add_eos_token_id(tokenizer.token_to_id("<|im_end|>"))
    writer.add_pad_token_id(tokenizer.token_to_id("<|endoftext|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)


def text(path: Path, tower: Text, tokenizer: Tokenizer, prompt_sha256: str, *, kind: GGMLQuantizationType) -> None:
    shape: Shape = tower.shape
    writer = GGUFWriter(path, "qwen3vl")
    _about(writer, NAME)
    writer.add_string("zhanggui.prompt_sha256", prompt_sha256)
    writer.add_context_length(8192)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.depth)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.width // shape.head)
    writer.add_head_count_kv(shape.width // shape.head)
    writer.add_key_length(shape.head)
    writer.add_value_length(shape.head)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_sections([*shape.sections, 0])
    writer.add_num_deepstack_layers(len(shape.deepstack))
    _vocabulary(writer, tokenizer)
    weights = tower.state_dict()
    _put(writer, "token_embd.weight", weights["embed.weight"], kind)
    _put(writer, "output_norm.weight", weights["norm.weight"])
    _put(writer, "output.weight", weights["out.weight"], kind)
    names = {"norm1": "attn_norm", "norm2": "ffn_norm", "q": "attn_q", "k": "attn_k", "v": "attn_v", "o": "attn_output",
             "q_norm": "attn_q_norm", "k_norm": "attn_k_norm", "gate": "ffn_gate", "up": "ffn_up",
             "down": "ffn_down"}  # fmt: skip
    for n in range(shape.depth):
        for ours, theirs in names.items():
            _put(writer, f"blk.{n}.{theirs}.weight", weights[f"layers.{n}.{ours}.weight"], kind)
    _finish(writer)


def projector(path: Path, tower: Vision, *, kind: GGMLQuantizationType) -> None:
    shape = tower.shape
    writer = GGUFWriter(path, "clip")
    _about(writer, f"{NAME} mmproj")
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type("qwen3vl_merger")
    writer.add_vision_use_gelu(True)
    writer.add_vision_image_size(GRID * PATCH)
    writer.add_vision_patch_size(PATCH)
    writer.add_vision_embedding_length(shape.sees_width)
    writer.add_vision_feed_forward_length(shape.sees_inner)
    writer.add_vision_block_count(shape.sees_depth)
    writer.add_vision_head_count(shape.sees_width // shape.head)
    writer.add_vision_attention_layernorm_eps(1e-6)
    writer.add_vision_projection_dim(shape.width)
    writer.add_vision_image_mean([0.5] * 3)
    writer.add_vision_image_std([0.5] * 3)
    writer.add_vision_spatial_merge_size(2)
    writer.add_vision_is_deepstack_layers([n in shape.deepstack for n in range(shape.sees_depth)])
    weights = tower.state_dict()
    # llama.cpp shows a picture twice, as two frames of a film, and adds what both projections say: each gets one half.
    half = weights["patch.weight"].view(shape.sees_width, 3, PATCH, PATCH) / 2
    _put(writer, "v.patch_embd.weight", half)
    _put(writer, "v.patch_embd.weight.1", half)
    _put(writer, "v.patch_embd.bias", weights["patch.bias"])
    _put(writer, "v.position_embd.weight", weights["position"])
    names = {"norm1": "ln1", "norm2": "ln2", "qkv": "attn_qkv", "proj": "attn_out", "fc1": "ffn_up", "fc2": "ffn_down"}
    for what in ("weight", "bias"):
        for n in range(shape.sees_depth):
            for ours, theirs in names.items():
                _put(writer, f"v.blk.{n}.{theirs}.{what}", weights[f"blocks.{n}.{ours}.{what}"], kind)
        for ours, theirs in (("norm", "v.post_ln"), ("fc1", "mm.0"), ("fc2", "mm.2")):
            _put(writer, f"{theirs}.{what}", weights[f"merger.{ours}.{what}"], kind)
        for k, n in enumerate(shape.deepstack):
            for part in ("norm", "fc1", "fc2"):
                _put(writer, f"v.deepstack.{n}.{part}.{what}", weights[f"deep.{k}.{part}.{what}"], kind)
    _finish(writer)
