"""Headers of GGUF files: what they say, and what is refused before llama.cpp sees it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import gguf as reference
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.errors import ModelError
from inference import gguf
from tests.fakes.pair import TEMPLATE, write_projector, write_text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pair")
    write_text(folder / "text.gguf", prompt_sha256="ab" * 32)
    write_projector(folder / "mmproj.gguf")
    return folder


def test_a_text_model_tells_its_shape(folder: Path) -> None:
    header = gguf.read(folder / "text.gguf")
    assert (header.architecture, header.name) == ("qwen3vl", "A small test")
    assert (header.width, header.layers, header.deepstack, header.context) == (64, 3, 2, 4096)
    assert header.kv_bytes_per_cell == 3 * 2 * (16 + 16) * 2
    assert header.template == TEMPLATE
    assert header.prompt_sha256 == "ab" * 32
    assert header.size == (folder / "text.gguf").stat().st_size
    assert not header.is_projector


def test_a_projector_tells_its_shape(folder: Path) -> None:
    header = gguf.read(folder / "mmproj.gguf")
    assert header.is_projector
    assert header.sees
    assert (header.projector, header.width, header.deepstack) == ("qwen3vl_merger", 64, 2)
    assert header.prompt_sha256 is None


def _bare(path: Path, architecture: str, **numbers: int | list[int]) -> gguf.Header:
    writer = reference.GGUFWriter(path, architecture)
    for key, value in numbers.items():
        name = f"{architecture}.{key.replace('__', '.')}"
        if isinstance(value, list):
            writer.add_array(name, value)
        else:
            writer.add_uint32(name, value)
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
        step()
    return gguf.read(path)


def test_without_key_length_heads_share_the_width(tmp_path: Path) -> None:
    header = _bare(tmp_path / "a.gguf", "llama", embedding_length=64, block_count=2, attention__head_count=4)
    assert header.kv_bytes_per_cell == 2 * 4 * (16 + 16) * 2


SIXTEEN = {"attention__key_length": 16, "attention__value_length": 16}


def test_layers_without_keys_cost_nothing(tmp_path: Path) -> None:
    """A hybrid model says how many heads each layer has, or which of its layers attend."""
    header = _bare(tmp_path / "a.gguf", "qwen35", block_count=4, attention__head_count_kv=[0, 0, 0, 2], **SIXTEEN)
    assert header.kv_bytes_per_cell == 2 * (16 + 16) * 2
    header = _bare(
        tmp_path / "b.gguf",
        "qwen35",
        block_count=4,
        full_attention_interval=4,
        attention__head_count_kv=2,
        **SIXTEEN,
    )
    assert header.kv_bytes_per_cell == 2 * (16 + 16) * 2


def test_a_file_that_says_nothing_of_its_cells_gives_none(tmp_path: Path) -> None:
    assert _bare(tmp_path / "a.gguf", "llama").kv_bytes_per_cell == 0


def test_tensor_sizes_are_those_of_ggml() -> None:
    legacy = {reference.GGMLQuantizationType.Q8_1}  # never stored in a file
    for kind, size in reference.GGML_QUANT_SIZES.items():
        if kind not in legacy:
            assert gguf.BLOCKS[int(kind)] == size, kind.name


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file"):
        gguf.read(tmp_path / "none.gguf")


def test_a_folder_in_the_place_of_a_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        gguf.read(tmp_path)


@pytest.mark.parametrize("name", ["text.gguf", "mmproj.gguf"])
@pytest.mark.parametrize("part", [0.0, 0.001, 0.01, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(folder: Path, tmp_path: Path, name: str, part: float) -> None:
    data = (folder / name).read_bytes()
    # Writers pad the last tensor: what is cut must be more than the padding.
    cut = tmp_path / name
    cut.write_bytes(data[: int((len(data) - 32) * part)])
    with pytest.raises(ModelError, match="get the file again"):
        gguf.read(cut)


def head(version: int = 3, tensors: int = 0, keys: int = 0) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys)


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def array(kind: int, count: int) -> bytes:
    return text(b"a") + struct.pack("<IIQ", 9, kind, count)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<!DOCTYPE html><html>" * 10, id="a web page"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\n", id="a pointer of git-lfs"),
        pytest.param(head(version=1), id="version 1"),
        pytest.param(b"GGUF" + struct.pack(">IQQ", 3, 0, 0), id="big-endian"),
        pytest.param(head(keys=2**63), id="keys without end"),
        pytest.param(head(tensors=2**63), id="tensors without end"),
        pytest.param(head(keys=1) + struct.pack("<Q", 2**62), id="a name without end"),
        pytest.param(head(keys=1) + text(b"a") + struct.pack("<I", 99), id="unknown type"),
        pytest.param(head(keys=1) + array(8, 2**40), id="strings without end"),
        pytest.param(head(keys=1) + array(8, 1_000_000) + b"\x00" * 64, id="more strings than bytes"),
        pytest.param(head(keys=1) + array(4, 1_000_000), id="more numbers than bytes"),
        pytest.param(head(keys=1) + array(9, 1) + array(9, 1) * 50, id="arrays of arrays"),
        pytest.param(head(keys=1) + array(77, 5000) + b"\x00" * 9000, id="array of nothing known"),
        pytest.param(head(tensors=1) + text(b"t") + struct.pack("<I", 2**31), id="dimensions without end"),
        pytest.param(
            head(tensors=1) + text(b"t") + struct.pack("<IQQIQ", 2, 2**63, 2**63, 0, 0), id="a tensor like a galaxy"
        ),
        pytest.param(
            head(keys=1, tensors=1) + text(b"general.alignment") + struct.pack("<II", 4, 0) + b"\x00" * 64,
            id="alignment of nothing",
        ),
    ],
)
def test_a_hostile_header_is_a_sentence(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"bad\.gguf: .*; get the file again"):
        gguf.read(path)


def test_a_header_is_never_read_beyond_its_cap(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gguf.read(folder / "text.gguf")
    for cap in (1000, 20_000):  # in the middle of plain keys, and of the vocabulary
        monkeypatch.setattr(gguf, "MOST_HEADER", cap)
        with pytest.raises(ModelError, match="get the file again"):
            gguf.read(folder / "text.gguf")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["text.gguf", "mmproj.gguf"]),
    st.lists(st.tuples(st.integers(0, 3000), st.binary(min_size=1, max_size=9)), min_size=1, max_size=6),
    st.floats(0.01, 1),
)
def test_a_damaged_file_is_a_header_or_a_sentence(
    folder: Path, tmp_path: Path, name: str, changes: list[tuple[int, bytes]], part: float
) -> None:
    data = bytearray((folder / name).read_bytes())
    data = data[: int(len(data) * part)]
    for at, new in changes:
        data[at : at + len(new)] = new
    path = tmp_path / "damaged.gguf"
    path.write_bytes(data)
    try:
        header = gguf.read(path)
    except ModelError:
        return
    # Whatever it claims to be, asking it is safe.
    assert header.width + header.layers + header.deepstack + header.context + header.kv_bytes_per_cell >= 0
    assert isinstance(header.name + header.template + header.projector, str)


Make = Callable[[Path], Path]


def _pair(tmp_path: Path, text: Make, projector: Make) -> None:
    gguf.pair(gguf.read(text(tmp_path / "t.gguf")), gguf.read(projector(tmp_path / "p.gguf")))


def test_two_files_that_belong_together_are_taken(tmp_path: Path) -> None:
    _pair(tmp_path, write_text, write_projector)


def test_swapped_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="swapped"):
        _pair(tmp_path, write_projector, write_text)


def test_two_projectors_are_no_pair(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="this is a projector") as caught:
        _pair(tmp_path, write_projector, write_projector)
    assert "swapped" not in str(caught.value)


def test_a_language_model_is_no_projector(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot see"):
        _pair(tmp_path, write_text, write_text)


def test_a_projector_for_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not for pictures"):
        _pair(tmp_path, write_text, lambda path: write_projector(path, vision=False))


def test_a_vocabulary_alone_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a language model"):
        _pair(tmp_path, lambda path: write_text(path, width=0), write_projector)


def test_a_projector_of_another_width_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="belongs to another model"):
        _pair(tmp_path, write_text, lambda path: write_projector(path, width=128))


def test_a_projector_with_other_deepstack_layers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="belongs to another model"):
        _pair(tmp_path, write_text, lambda path: write_projector(path, deepstack=0))


def test_a_projector_that_does_not_tell_its_width_is_left_to_llama_cpp(tmp_path: Path) -> None:
    _pair(tmp_path, write_text, lambda path: write_projector(path, width=128, kind="mlp"))
