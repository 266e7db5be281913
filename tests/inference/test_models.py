"""Names, files, locks, and what fits a machine."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from bot.errors import ModelError
from inference import models
from inference.models import HubFile, Lock, LockedFile, Memory, ModelRow, catalogue, fits, resolve, verify
from tests.fakes.pair import write_projector, write_text

GB = 10**9


def row(name: str = "qwen3-vl-8b") -> ModelRow:
    return models.find(name)[0]


def install(folder: Path, name: str = "qwen3-vl-2b", quant: str = "Q4_K_M") -> Lock:
    """A pair under a known name, with the lock that a pull leaves."""
    known, chosen = row(name), row(name).quant(quant)
    folder.mkdir(exist_ok=True)
    write_text(folder / chosen.text.name)
    write_projector(folder / chosen.projector.name)
    locked = [_locked(folder / file.name) for file in (chosen.text, chosen.projector)]
    lock = Lock(model=name, quant=quant, source="modelscope", repo=known.repo, files=(locked[0], locked[1]))
    lock.write(Lock.path(folder, known, chosen))
    return lock


def _locked(path: Path) -> LockedFile:
    data = path.read_bytes()
    return LockedFile(
        name=path.name,
        revision="master",
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        mtime_ns=path.stat().st_mtime_ns,
    )


def refused(model: str, folder: Path, mmproj: str = "") -> str:
    with pytest.raises(ModelError) as caught:
        resolve(model, mmproj, folder)
    return str(caught.value)


# ------------------------------------------------------------------------------------------------ the table


def test_the_table_holds_what_the_program_relies_on() -> None:
    names = [known.name for known in models.rows()]
    assert len(set(names)) == len(names)
    assert [known.name for known in models.rows() if not known.repo] == names[:1], "one comes along, and stands first"
    for known in models.rows():
        assert models.find(known.name) == (known, None), "a name is found as it stands in the table"
        assert not known.name.endswith(".gguf"), "that would be a path"
        assert known.chat in models.CHATS
        assert known.prompt in ("brief", "full")
        assert known.note("zh") != known.note("en")
        assert "\uff0c" in known.note("zh")
        assert not set(",:;?!()") & set(known.note("zh"))
        assert known.fact_lines > 0
        assert len({quant.name for quant in known.quants}) == len(known.quants)


def test_a_row_whose_name_has_a_dot_and_no_quotes_is_a_sentence() -> None:
    shipped, *_ = models.rows()
    text = (Path(models.__file__).parent / "models.toml").read_text(encoding="utf-8")
    quoted = text.replace(f"[{shipped.name}", '["qwen3.5-4b"')
    assert models.table(quoted)[0] == replace(shipped, name="qwen3.5-4b")
    with pytest.raises(ModelError) as caught:
        models.table(quoted.replace('"qwen3.5-4b"', "qwen3.5-4b"))
    assert '[qwen3] has no quants; a name with a dot stands in quotes, ["qwen3.5-4b"]' in str(caught.value)
    with pytest.raises(ModelError, match=r"\[mine\] has no quants"):
        models.table("[mine]\ntitle = 'Mine'\n")


def test_the_default_is_the_small_quantisation() -> None:
    assert {known.quants[0].name for known in models.rows() if known.repo} == {"Q4_K_M"}
    assert row().quants[0].text == HubFile(name="Qwen3VL-8B-Instruct-Q4_K_M.gguf", bytes=5_027_784_800)


def test_the_shipped_model_says_that_it_knows_only_its_shop() -> None:
    demo = row("demo")
    assert (demo.prompt, demo.fact_lines, demo.visual_tokens, demo.square, demo.greedy) == ("brief", 2, 16, True, True)
    assert "小满杂货" in demo.note("zh")
    assert "only the demonstration shop" in demo.note("en")


@pytest.mark.parametrize(
    ("name", "quant"),
    [("qwen3-vl-8b", None), ("Qwen3-VL-8B", None), ("qwen3-vl-8b:Q8_0", "Q8_0"), ("qwen3-vl-8b:q8_0", "Q8_0")],
)
def test_a_name_may_carry_a_quantisation(name: str, quant: str | None) -> None:
    known, chosen = models.find(name)
    assert known.name == "qwen3-vl-8b"
    assert (chosen.name if chosen else None) == quant


def test_an_unknown_quantisation_names_those_that_are() -> None:
    with pytest.raises(ModelError, match="Q4_K_M, Q8_0"):
        models.find("qwen3-vl-8b:Q3")


def test_an_unknown_name_names_those_that_are(tmp_path: Path) -> None:
    said = refused("qwen4", tmp_path)
    assert "qwen3-vl-8b" in said
    assert "path to a .gguf" in said


# ------------------------------------------------------------------------------------------------ pulled models


def test_a_model_that_is_not_there_says_how_to_get_it(tmp_path: Path) -> None:
    assert "python -m bot model pull qwen3-vl-8b" in refused("qwen3-vl-8b", tmp_path)
    assert "python -m bot model pull qwen3-vl-8b:Q8_0" in refused("qwen3-vl-8b:Q8_0", tmp_path)


def test_a_pulled_model_is_found_by_its_name(tmp_path: Path) -> None:
    lock = install(tmp_path)
    files = resolve("qwen3-vl-2b", "", tmp_path)
    assert files.row == replace(row("qwen3-vl-2b"), layers=3, kv_bytes_per_cell=384), "the shape is the file's own"
    assert files.text == tmp_path / "Qwen3VL-2B-Instruct-Q4_K_M.gguf"
    assert files.projector == tmp_path / "mmproj-Qwen3VL-2B-Instruct-Q8_0.gguf"
    assert files.lock == lock
    assert not files.own
    assert files.header.width == 64
    assert files.bytes == sum(file.bytes for file in lock.files)


def test_any_pulled_quantisation_serves_a_plain_name(tmp_path: Path) -> None:
    install(tmp_path, quant="Q8_0")
    assert resolve("qwen3-vl-2b", "", tmp_path).text.name.endswith("Q8_0.gguf")
    refused("qwen3-vl-2b:Q4_K_M", tmp_path)
    install(tmp_path)
    assert resolve("qwen3-vl-2b", "", tmp_path).text.name.endswith("Q4_K_M.gguf")
    assert resolve("qwen3-vl-2b:Q8_0", "", tmp_path).text.name.endswith("Q8_0.gguf")


def test_a_known_name_takes_no_projector(tmp_path: Path) -> None:
    install(tmp_path)
    assert "remove the key" in refused("qwen3-vl-2b", tmp_path, mmproj="other.gguf")


@pytest.mark.parametrize("file", [0, 1])
def test_a_file_of_another_size_than_its_lock_is_refused(tmp_path: Path, file: int) -> None:
    path = tmp_path / install(tmp_path).files[file].name
    before = path.stat()
    path.write_bytes(path.read_bytes() + b"x")
    os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))
    said = refused("qwen3-vl-2b", tmp_path)
    assert path.name in said
    assert "model pull qwen3-vl-2b" in said


@pytest.mark.parametrize("file", [0, 1])
def test_a_file_that_was_changed_is_refused(tmp_path: Path, file: int) -> None:
    path = tmp_path / install(tmp_path).files[file].name
    data = bytearray(path.read_bytes())
    data[-40] ^= 1
    path.write_bytes(data)
    assert "was changed" in refused("qwen3-vl-2b", tmp_path)


def test_a_missing_half_is_named(tmp_path: Path) -> None:
    (tmp_path / install(tmp_path).files[1].name).unlink()
    assert "missing" in refused("qwen3-vl-2b", tmp_path)


def test_a_hash_is_computed_once_and_remembered(tmp_path: Path) -> None:
    lock = install(tmp_path)
    path = tmp_path / lock.files[0].name
    os.utime(path, ns=(1, 1))
    found = resolve("qwen3-vl-2b", "", tmp_path).lock
    assert found is not None
    assert found.files[0].mtime_ns == 1
    assert Lock.read(tmp_path / "qwen3-vl-2b-Q4_K_M.lock.json") == found
    # The same size and time again: not read a second time, so that even other bytes would pass.
    data = bytearray(path.read_bytes())
    data[-40] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(1, 1))
    assert resolve("qwen3-vl-2b", "", tmp_path).lock == found


def test_a_folder_that_cannot_be_written_is_no_obstacle(tmp_path: Path) -> None:
    lock = install(tmp_path)
    os.utime(tmp_path / lock.files[0].name, ns=(1, 1))
    (tmp_path / "qwen3-vl-2b-Q4_K_M.lock.json.new").mkdir()  # in the way of the new lock
    assert resolve("qwen3-vl-2b", "", tmp_path).lock is not None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"files": [1, 2]}', '{"files": [{"name": "a"}]}', "\x00"])
def test_a_broken_lock_is_a_sentence(tmp_path: Path, text: str) -> None:
    install(tmp_path)
    (tmp_path / "qwen3-vl-2b-Q4_K_M.lock.json").write_text(text)
    assert "pull the model again" in refused("qwen3-vl-2b", tmp_path)


def test_a_lock_that_names_more_than_it_should_is_refused(tmp_path: Path) -> None:
    install(tmp_path)
    path = tmp_path / "qwen3-vl-2b-Q4_K_M.lock.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"extra": 1}))
    assert "cannot be read" in refused("qwen3-vl-2b", tmp_path)


def test_even_matching_files_must_belong_together(tmp_path: Path) -> None:
    lock = install(tmp_path)
    write_projector(tmp_path / lock.files[1].name, width=128)
    fresh = replace(lock, files=(lock.files[0], _locked(tmp_path / lock.files[1].name)))
    fresh.write(tmp_path / "qwen3-vl-2b-Q4_K_M.lock.json")
    assert "belongs to another model" in refused("qwen3-vl-2b", tmp_path)


# ------------------------------------------------------------------------------------------------ the owner's own files


def test_a_path_with_its_projector_beside_it(tmp_path: Path) -> None:
    text = write_text(tmp_path / "mine.gguf")
    projector = write_projector(tmp_path / "mmproj-mine.gguf")
    files = resolve(str(text), "", tmp_path / "nowhere")
    assert (files.text, files.projector, files.own, files.lock) == (text, projector, True, None)
    assert (files.row.name, files.row.title, files.row.prompt) == ("mine", "A small test", "full")
    assert (files.row.layers, files.row.kv_bytes_per_cell) == (3, 384)
    assert files.row.quants[0].bytes == text.stat().st_size


def test_a_projector_may_be_named(tmp_path: Path) -> None:
    text = write_text(tmp_path / "mine.gguf")
    (tmp_path / "else").mkdir()
    projector = write_projector(tmp_path / "else" / "eyes.gguf")
    assert resolve(str(text), str(projector), tmp_path).projector == projector


def test_a_path_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_text(tmp_path / "mine.gguf")
    write_projector(tmp_path / "mmproj.gguf")
    assert resolve("~/mine.gguf", "~/mmproj.gguf", tmp_path).text == tmp_path / "mine.gguf"


def test_without_a_projector_it_says_what_is_missing(tmp_path: Path) -> None:
    text = write_text(tmp_path / "mine.gguf")
    assert "there is none beside it" in refused(str(text), tmp_path)
    write_projector(tmp_path / "mmproj-a.gguf")
    write_projector(tmp_path / "mmproj-b.gguf")
    assert "there are 2 beside it" in refused(str(text), tmp_path)


def test_a_known_file_keeps_its_row_wherever_it_lies(tmp_path: Path) -> None:
    text = write_text(tmp_path / "Qwen3VL-4B-Instruct-Q8_0.gguf")
    write_projector(tmp_path / "mmproj.gguf")
    files = resolve(str(text), "", tmp_path)
    assert (files.row.name, files.row.fact_lines) == ("qwen3-vl-4b", 8)
    assert files.own


def test_the_shipped_models_file_keeps_its_row_in_another_folder(tmp_path: Path) -> None:
    text = write_text(tmp_path / Path(row("demo").quants[0].text.name).name)
    write_projector(tmp_path / "mmproj.gguf")
    assert resolve(str(text), "", tmp_path).row.name == "demo"


def test_a_file_that_does_not_tell_its_shape_is_taken_to_have_that_of_its_row(tmp_path: Path) -> None:
    text = write_text(tmp_path / "Qwen3VL-4B-Instruct-Q8_0.gguf")
    text.write_bytes(text.read_bytes().replace(b"attention.head_count", b"attention.bread_size"))
    write_projector(tmp_path / "mmproj.gguf")
    assert resolve(str(text), "", tmp_path).row.kv_bytes_per_cell == row("qwen3-vl-4b").kv_bytes_per_cell


def test_a_path_is_known_by_its_ending_however_it_is_written(tmp_path: Path) -> None:
    text = write_text(tmp_path / "mine.GGUF")
    projector = write_projector(tmp_path / "eyes.gguf")
    assert resolve(str(text), str(projector), tmp_path).text == text


def test_a_model_that_was_trained_on_the_shops_prompt_keeps_the_shipped_models_row(tmp_path: Path) -> None:
    text = write_text(tmp_path / "retrained.gguf", prompt_sha256="ab" * 32)
    write_projector(tmp_path / "mmproj.gguf")
    files = resolve(str(text), "", tmp_path)
    assert (files.row.name, files.row.prompt) == ("demo", "brief")
    assert files.header.prompt_sha256 == "ab" * 32


@pytest.mark.parametrize("template", ["", "[INST] {{ m.content }} [/INST]"])
def test_a_model_that_speaks_another_chat_is_refused(tmp_path: Path, template: str) -> None:
    text = write_text(tmp_path / "mine.gguf", template=template)
    write_projector(tmp_path / "mmproj.gguf")
    assert "chat template is not chatml" in refused(str(text), tmp_path)


def test_a_path_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    write_projector(tmp_path / "mmproj.gguf")
    assert "no such file" in refused(str(tmp_path / "none.gguf"), tmp_path)


def test_a_truncated_model_is_refused(tmp_path: Path) -> None:
    text = write_text(tmp_path / "mine.gguf")
    write_projector(tmp_path / "mmproj.gguf")
    text.write_bytes(text.read_bytes()[:-4000])
    assert "cut off" in refused(str(text), tmp_path)


# ------------------------------------------------------------------------------------------------ advice


def test_memory_is_weights_projector_cells_and_buffers() -> None:
    known = row()
    need = known.memory(known.quants[0], 8192)
    assert need == 5_027_784_800 + 1_159_029_824 + 147_456 * 8192 + known.buffers


@pytest.mark.parametrize(
    ("memory", "ok", "says"),
    [
        (Memory(main=16 * GB, graphics=12 * GB), True, "whole on the graphics card"),
        (Memory(main=16 * GB, graphics=6 * GB), True, "partly on the graphics card"),
        (Memory(main=16 * GB, graphics=1 * GB), True, "on the processor; slow"),
        (Memory(main=16 * GB), True, "on the processor; slow"),
        (Memory(main=6 * GB), False, "it takes 8.1 GB and this machine has 6.0 GB"),
        (Memory(main=6 * GB, graphics=4 * GB), False, "it takes 8.1 GB"),
        (Memory(main=6 * GB, graphics=9 * GB), True, "whole on the graphics card"),
    ],
)
def test_what_fits_is_said_in_plain_words(memory: Memory, ok: bool, says: str) -> None:
    fit = fits(row(), row().quants[0], memory, 8192)
    assert fit.ok is ok
    assert says in fit.says


def test_what_takes_all_that_there_is_fits() -> None:
    need = row().memory(row().quants[0], 8192)
    assert fits(row(), row().quants[0], Memory(main=need), 8192).ok
    assert not fits(row(), row().quants[0], Memory(main=need - 1), 8192).ok
    says = [fits(row(), row().quants[0], Memory(main=need, graphics=need - less), 8192).says for less in (0, 1)]
    assert says[0] != says[1]
    assert "whole on the graphics card" in says[0]
    says = [fits(row(), row().quants[0], Memory(main=need, graphics=need // 4 - less), 8192).says for less in (0, 1)]
    assert ["partly" in each for each in says] == [True, False], "a quarter of it is worth the way to the card"


def test_a_small_model_is_not_called_slow() -> None:
    fit = fits(row("qwen3-vl-2b"), row("qwen3-vl-2b").quants[0], Memory(main=8 * GB), 8192)
    assert fit.says == "yes, on the processor"


def test_the_list_shows_what_is_there(tmp_path: Path) -> None:
    install(tmp_path)
    entries = catalogue(tmp_path, Memory(main=6 * GB), 8192)
    assert list(dict.fromkeys(entry.row.name for entry in entries)) == [r.name for r in models.rows()]
    there = {(entry.row.name, entry.quant.name) for entry in entries if entry.installed and entry.row.repo}
    assert there == {("qwen3-vl-2b", "Q4_K_M")}
    large = next(entry for entry in entries if entry.row.name == "qwen3-vl-8b")
    assert large.bytes == 6_186_814_624
    assert large.memory > large.bytes
    assert not large.fit.ok


@pytest.mark.parametrize(("count", "text"), [(5_027_784_800, "5.0 GB"), (12_000_000, "12 MB"), (999, "0 MB")])
def test_sizes_are_read_as_people_read_them(count: int, text: str) -> None:
    assert models.gigabytes(count) == text


def test_a_check_says_who_vouches(tmp_path: Path) -> None:
    install(tmp_path)
    pulled = verify(resolve("qwen3-vl-2b", "", tmp_path))
    assert all(finding.ok for finding in pulled)
    assert "modelscope" in pulled[1].what
    own = verify(resolve(str(write_text(tmp_path / "mine.gguf")), str(write_projector(tmp_path / "p.gguf")), tmp_path))
    assert "your own choice" in own[1].what


def test_the_shipped_model_is_found_in_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quant = row("demo").quants[0]
    (tmp_path / "inference" / "demo").mkdir(parents=True)
    write_text(tmp_path / quant.text.name)
    write_projector(tmp_path / quant.projector.name)
    monkeypatch.setattr(models, "ROOT", tmp_path)
    files = resolve("demo", "", tmp_path / "models")
    assert (files.row.name, files.lock, files.own) == ("demo", None, False)
    assert "came with the program" in verify(files)[1].what
    assert catalogue(tmp_path, Memory(main=GB), 4096)[0].installed
    (tmp_path / quant.projector.name).unlink()
    assert not catalogue(tmp_path, Memory(main=GB), 4096)[0].installed, "half a model is none"


def test_a_repository_without_the_shipped_model_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "ROOT", tmp_path)
    assert "no such file" in refused("demo", tmp_path)
    assert not catalogue(tmp_path, Memory(main=GB), 4096)[0].installed


SHIPPED = models.ROOT / "inference" / "demo" / "demo.gguf"


@pytest.mark.skipif(not SHIPPED.exists(), reason="the shipped model is not trained yet")
def test_the_shipped_row_agrees_with_its_files(tmp_path: Path) -> None:
    files = resolve("demo", "", tmp_path)
    header, known = files.header, row("demo")
    quant = known.quants[0]
    assert (known.layers, known.kv_bytes_per_cell) == (header.layers, header.kv_bytes_per_cell)
    assert abs(files.bytes - quant.bytes) < 0.1 * quant.bytes
    assert header.prompt_sha256
