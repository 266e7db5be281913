"""A house per test, left empty."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot import fetching
from bot import intake as module
from bot import outbox as outbox_module
from bot.dialogue import Dialogue
from bot.intake import Intake
from bot.outbox import Outbox
from storage.photos import PhotoFiles
from storage.store import SqlStore
from tests.bot.intake.house import Built, House, echo
from tests.fakes.adapter import RecordingAdapter
from tests.fakes.engine import Script, ScriptedEngine
from tests.fakes.facts import ScriptedFacts
from tests.fakes.photos import normalise
from tests.fakes.voice import VOICE


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses between tries, without the waiting."""
    monkeypatch.setattr(module, "_RETRIES", (0.0, 0.0))
    monkeypatch.setattr(module, "_AWAY", 0.0)
    monkeypatch.setattr(module, "_BUSY", 0.0)
    monkeypatch.setattr(fetching, "_LONGEST", 0.0)
    monkeypatch.setattr(outbox_module, "_AWAY", 0.0)
    monkeypatch.setattr(outbox_module, "_LONGEST", 0.0)


@pytest.fixture
async def built(store: SqlStore, tmp_path: Path) -> AsyncIterator[Built]:
    houses: list[House] = []

    def build(
        script: Script = echo,
        *,
        merge_s: float = 0.0,
        answers: bool = True,
        preview: bool = True,
        label: str = "",
        channels: Sequence[str] = ("test",),
        engine: ScriptedEngine | None = None,
        opened: bool = True,
        over: Any = None,
    ) -> House:
        used = over or store
        adapter = RecordingAdapter(preview=preview)
        adapters = dict.fromkeys(channels, adapter)
        engine = engine or ScriptedEngine(script)
        dialogue = Dialogue(engine, ScriptedFacts(), used, replace(VOICE, label=label))
        photos = PhotoFiles(store.database, tmp_path / "photos", normalise)
        intake = Intake(
            used, photos, adapters, lambda _: dialogue, Outbox(used, adapters), merge_s=merge_s, answers=answers
        )
        if opened:
            intake.open()
        houses.append(House(store, photos, engine, adapter, intake))
        return houses[-1]

    yield build
    for house in houses:
        await house.intake.close()
        assert not house.intake._customers, "a customer's task was left behind"
        assert not house.engine.running
