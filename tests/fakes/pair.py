"""A pair of GGUF files with true headers and tiny tensors: enough for everything that reads headers."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

TEMPLATE = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"


def write_text(
    path: Path,
    *,
    width: int = 64,
    deepstack: int = 2,
    template: str = TEMPLATE,
    prompt_sha256: str = "",
    words: int = 2000,
    architecture: str = "qwen3vl",
) -> Path:
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("A small test")
    writer.add_context_length(4096)
    writer.add_embedding_length(width)
    writer.add_block_count(3)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_key_length(16)
    writer.add_value_length(16)
    if deepstack:
        writer.add_num_deepstack_layers(deepstack)
    writer.add_token_list([f"w{i}" for i in range(words)])
    writer.add_token_types([1] * words)
    if template:
        writer.add_string("tokenizer.chat_template", template)
    if prompt_sha256:
        writer.add_string("zhanggui.prompt_sha256", prompt_sha256)
    rng = np.random.default_rng(0)
    writer.add_tensor("token_embd.weight", rng.standard_normal((words, width)).astype(np.float16))
    writer.add_tensor("output_norm.weight", np.ones(width, np.float32))
    return _written(writer, path)


def write_projector(
    path: Path, *, width: int = 64, deepstack: int = 2, vision: bool = True, kind: str = "qwen3vl_merger"
) -> Path:
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_name("A small projector")
    writer.add_clip_has_vision_encoder(vision)
    writer.add_clip_projector_type(kind)
    writer.add_vision_projection_dim(width)
    writer.add_vision_is_deepstack_layers([i < deepstack for i in range(4)])
    writer.add_tensor("mm.0.weight", np.zeros((width, 32), np.float32))
    return _written(writer, path)


def _written(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
