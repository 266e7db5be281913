"""The edge to llama.cpp, by logits: what is copied, parked, cut into slices or restored is what it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from bot.errors import EngineError
from inference.llama.context import BATCH, Context, Floats, Model, Slice
from inference.llama.sequence import Grid
from inference.llama.settings import Settings
from inference.llama.vision import Projector

GRID = Grid(columns=4, rows=3)


@dataclass
class Rig:
    model: Model
    context: Context
    rows: Floats

    def read(self, slot: int, position: int, tokens: list[int]) -> Floats:
        (logits,) = self.context.decode([Slice(slot, position, tokens, read=True)])
        assert logits is not None
        return logits.copy()

    def conversation(self, slot: int) -> int:
        """Words, a photo, words; returns the next position."""
        self.read(slot, 0, [1, 2, 3])
        self.context.show(slot, 3, self.rows, GRID, 0)
        self.read(slot, 3 + GRID.positions, [4, 5])
        return 5 + GRID.positions


@pytest.fixture(scope="module")
def rig(pair: tuple[object, object], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    from tests.inference.llama.conftest import INFO

    model, projector = pair
    settings = Settings(
        model=model,  # type: ignore[arg-type]
        projector=projector,  # type: ignore[arg-type]
        info=INFO,
        state_dir=tmp_path_factory.mktemp("state"),
        n_ctx=2048,
        visual_tokens=16,
    )
    with Model(settings) as loaded, Context(loaded, settings, 8) as context, Projector(loaded, settings, 1) as eye:
        rgb = np.random.default_rng(1).integers(0, 255, (96, 128, 3), dtype=np.uint8)
        yield Rig(loaded, context, eye.encode(rgb, GRID))


@pytest.fixture(autouse=True)
def _empty(rig: Rig) -> Iterator[None]:
    yield
    for slot in range(8):
        rig.context.drop(slot)


def test_a_photos_rows_have_the_models_input_width(rig: Rig) -> None:
    assert rig.rows.shape == (12, rig.model.row)
    assert np.isfinite(rig.rows).all()


def test_a_copy_goes_on_as_its_source_does(rig: Rig) -> None:
    end = rig.conversation(0)
    rig.context.copy(0, 1)
    assert np.abs(rig.read(0, end, [7, 8]) - rig.read(1, end, [7, 8])).max() < 0.05


def test_a_copy_onto_a_used_sequence_leaves_nothing_of_it(rig: Rig) -> None:
    end = rig.conversation(0)
    rig.read(1, 0, list(range(50, 90)))
    rig.context.copy(0, 1)
    assert np.abs(rig.read(0, end, [7]) - rig.read(1, end, [7])).max() < 0.05


def test_a_parked_conversation_comes_back_exactly_under_any_number(rig: Rig) -> None:
    end = rig.conversation(0)
    state = rig.context.save(0)
    before = rig.read(0, end, [7, 8])
    rig.context.drop(0)
    assert rig.context.restore(5, state)
    assert np.abs(rig.read(5, end, [7, 8]) - before).max() == 0


def test_a_state_that_does_not_fit_is_refused_and_leaves_nothing(rig: Rig) -> None:
    for at in range(0, 2000, BATCH):
        rig.read(0, at, [1] * min(BATCH, 2000 - at))
    state = rig.context.save(0)
    assert not rig.context.restore(1, state)
    rig.context.drop(0)
    assert rig.context.restore(1, state)


def test_a_photo_in_slices_is_the_photo(rig: Rig) -> None:
    end = rig.conversation(0)
    rig.read(1, 0, [1, 2, 3])
    rig.context.show(1, 3, rig.rows[:5], GRID, 0)
    rig.context.show(1, 3, rig.rows[5:], GRID, 5)
    rig.read(1, 3 + GRID.positions, [4, 5])
    assert np.abs(rig.read(0, end, [7]) - rig.read(1, end, [7])).max() < 0.05


def test_a_photo_matters_and_so_does_its_layout(rig: Rig) -> None:
    end = rig.conversation(0)
    rig.read(1, 0, [1, 2, 3])
    rig.context.show(1, 3, rig.rows, Grid(columns=3, rows=4), 0)
    rig.read(1, 7, [4, 5])
    assert np.abs(rig.read(0, end, [7]) - rig.read(1, end, [7])).max() > 0.1


def test_several_sequences_in_one_decode_are_as_if_alone(rig: Rig) -> None:
    alone = [rig.read(slot, 0, [slot, 20, 30]) for slot in (0, 1)]
    together = rig.context.decode(
        [Slice(2, 0, [0, 20, 30], read=True), Slice(3, 0, [9, 9], read=False), Slice(4, 0, [1, 20, 30], read=True)]
    )
    assert together[1] is None
    for one, other in zip(alone, (together[0], together[2]), strict=True):
        assert other is not None
        assert np.abs(one - other).max() < 0.05


def test_a_wrong_position_is_an_error_and_no_end(rig: Rig) -> None:
    rig.conversation(0)
    with pytest.raises(EngineError, match="could not compute"):
        rig.context.decode([Slice(0, 0, [1], read=True)])


def test_a_full_context_is_an_error_and_no_end(rig: Rig) -> None:
    for at in range(0, 2048, BATCH):
        rig.read(0, at, [1] * BATCH)
    with pytest.raises(EngineError, match="could not compute"):
        rig.read(1, 0, [1])


def test_a_decode_longer_than_a_batch_never_reaches_llama_cpp(rig: Rig) -> None:
    with pytest.raises(AssertionError):
        rig.context.decode([Slice(0, 0, [1] * (BATCH + 1), read=False)])
    with pytest.raises(AssertionError):
        rig.context.decode([Slice(0, 0, [], read=False)])


@pytest.mark.parametrize("text", ["", "好", "a\0b", "\ud800", "<|im_end|>", "🤷🏽‍♂️", " " * 100])
def test_a_text_and_its_tokens_say_the_same(rig: Rig, text: str) -> None:
    tokens = rig.model.tokenise(text, special=False)
    assert b"".join(map(rig.model.bytes_of, tokens)) == text.encode("utf-8", "replace")


def test_names_of_control_tokens_count_only_where_they_are_meant_to(rig: Rig) -> None:
    (token,) = rig.model.tokenise("<|im_end|>", special=True)
    assert rig.model.bytes_of(token) == b""
    assert len(rig.model.tokenise("<|im_end|>", special=False)) > 1


def test_an_aborted_context_computes_no_more(rig: Rig, pair: tuple[object, object]) -> None:
    settings = Settings(
        model=pair[0],  # type: ignore[arg-type]
        projector=pair[1],  # type: ignore[arg-type]
        info=None,  # type: ignore[arg-type]
        state_dir=None,  # type: ignore[arg-type]
        n_ctx=512,
    )
    with Context(rig.model, settings, 4) as context:
        context.decode([Slice(0, 0, [1], read=True)])
        context.abort()
        with pytest.raises(EngineError, match="stopped"):
            context.decode([Slice(0, 1, [1], read=True)])
