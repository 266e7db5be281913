"""The configured model on this machine: which files, what the machine does with them, and the engine over them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bot.burst import MOST_PHOTOS
from bot.config import Config
from bot.place import Place
from bot.ports import Engine, EngineInfo, Finding
from bot.words import LANGUAGES

if TYPE_CHECKING:
    from inference.hardware import Choice
    from inference.llama.settings import Settings
    from inference.models import Memory, ModelFiles

log = logging.getLogger(__name__)


def files_of(config: Config, place: Place) -> ModelFiles:
    """The configured model's files. Raises :class:`~bot.errors.ModelError` with the way out."""
    from inference import models

    wanted = config.inference
    if not wanted.model.lower().endswith(".gguf"):
        return models.resolve(wanted.model, wanted.mmproj, place.models)
    # Files of the owner's own lie where his configuration says, as all paths in it do.
    model, mmproj = (
        str(place.root / Path(name).expanduser()) if name else "" for name in (wanted.model, wanted.mmproj)
    )
    return models.resolve(model, mmproj, place.models)


def choice_of(config: Config, files: ModelFiles) -> Choice:
    """What this machine does with a model: layers, threads, conversations side by side, the cost of a photo."""
    from inference import hardware
    from inference.llama import devices

    wanted, row = config.inference, files.row
    return hardware.choose(
        hardware.find(devices.find()),
        hardware.Shape(
            text=files.text.stat().st_size,
            projector=files.projector.stat().st_size,
            layers=row.layers,
            cell=row.kv_bytes_per_cell,
            buffers=row.buffers,
            photo=row.visual_tokens,
        ),
        n_ctx=wanted.n_ctx,
        gpu_layers=_number(wanted.gpu_layers),
        threads=_number(wanted.threads),
        parallel=_number(wanted.parallel),
        visual_tokens=_number(config.photos.visual_tokens),
        photos=MOST_PHOTOS,
        max_tokens=wanted.max_tokens,
    )


def _number(value: int | str) -> int | None:
    """A setting that may be «auto»."""
    return value if isinstance(value, int) else None


def memory() -> Memory:
    """What this machine has for a model."""
    from inference import hardware
    from inference.llama import devices
    from inference.models import Memory

    found = hardware.find(devices.find())
    return Memory(main=found.memory, graphics=max((device.free for device in found.devices), default=0))


def settings_of(config: Config, files: ModelFiles, choice: Choice, state_dir: Path) -> Settings:
    """What the engine is told: for the bot at work and for ``bench`` the same."""
    from inference.llama.settings import Sampling, Settings

    row = files.row
    info = EngineInfo(
        model=row.name,
        title=row.title,
        notes={language: row.note(language) for language in LANGUAGES},
        prompt=row.prompt,
        fact_lines=row.fact_lines,
        prompt_sha256=files.header.prompt_sha256,
    )
    return Settings(
        model=files.text,
        projector=files.projector,
        info=info,
        state_dir=state_dir,
        n_ctx=config.inference.n_ctx,
        threads=choice.threads,
        most_threads=choice.most_threads,
        gpu_layers=choice.gpu_layers,
        parallel=choice.parallel,
        visual_tokens=choice.visual_tokens,
        square=row.square,
        max_tokens=config.inference.max_tokens,
        sampling=Sampling(greedy=row.greedy),
    )


def engine_of(config: Config, place: Place, read_photo: Callable[[str], bytes]) -> Engine:
    """The engine for the configured model, not loaded yet. Raises :class:`~bot.errors.ModelError`."""
    from inference.llama.engine import LlamaEngine

    files = files_of(config, place)
    choice = choice_of(config, files)
    for trouble in choice.troubles:
        log.warning("%s: %s", trouble.what, trouble.fix)
    return LlamaEngine(settings_of(config, files, choice, place.engine), read_photo)


def model_findings(config: Config, place: Place) -> list[Finding]:
    """What can be said of the configured model without loading it. Raises :class:`~bot.errors.ModelError`."""
    from inference import models

    files = files_of(config, place)
    return [*models.verify(files), Finding(ok=True, what=files.row.note("en"))]


def machine_findings(config: Config, place: Place) -> list[Finding]:
    """What this machine does with the configured model, and why. Raises :class:`~bot.errors.ModelError`."""
    choice = choice_of(config, files_of(config, place))
    return [*(Finding(ok=True, what=reason) for reason in choice.reasons), *choice.troubles]
