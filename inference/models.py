"""Which models there are, which files stand behind a name, and whether they may be trusted.

The table is data (``models.toml``). What was pulled carries a lock beside it: the hub's own size and SHA-256 of each
file. Files that differ from their lock are refused; a path that the owner gives himself is his choice. Either way the
headers are read (:mod:`inference.gguf`) before llama.cpp sees a byte.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from bot.errors import ModelError
from bot.model import Language
from bot.ports import Finding
from inference import gguf

ROOT = Path(__file__).resolve().parent.parent
#: How messages are written → the text that must stand in a model's chat template.
CHATS = {"chatml": "<|im_start|>"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFile:
    #: As the hub names it; for the shipped model its path in the repository.
    name: str
    #: For advice only: what is true is the hub's metadata.
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quant:
    """One quantisation: the text model and the projector that goes with it."""

    name: str
    text: HubFile
    projector: HubFile

    @property
    def bytes(self) -> int:
        return self.text.bytes + self.projector.bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """What is known of a model before it is there. ``models.toml`` says what each field means."""

    name: str
    title: str
    licence: str
    repo: str
    #: The first is the default.
    quants: tuple[Quant, ...]
    layers: int
    kv_bytes_per_cell: int
    buffers: int
    chat: str
    prompt: Literal["brief", "full"]
    fact_lines: int
    square: bool
    visual_tokens: int | None = None
    greedy: bool
    note_zh: str
    note_en: str

    def note(self, language: Language) -> str:
        return self.note_zh if language == "zh" else self.note_en

    def quant(self, name: str) -> Quant:
        """Raises :class:`ModelError`."""
        for quant in self.quants:
            if quant.name.lower() == name.lower():
                return quant
        raise ModelError(f"{self.name} has no {name}; there are {', '.join(q.name for q in self.quants)}")

    def memory(self, quant: Quant, n_ctx: int) -> int:
        """Bytes that it takes with a context of so many tokens: weights, projector, F16 KV, buffers."""
        return quant.bytes + self.kv_bytes_per_cell * n_ctx + self.buffers


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedFile:
    name: str
    revision: str
    bytes: int
    sha256: str
    #: Modification time of the file whose hash was last found right, so that it is computed once.
    mtime_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What was pulled: text model and projector, in this order. Kept as ``MODEL-QUANT.lock.json`` beside them."""

    model: str
    quant: str
    source: str
    repo: str
    files: tuple[LockedFile, LockedFile]

    @staticmethod
    def path(folder: Path, row: ModelRow, quant: Quant) -> Path:
        return folder / f"{row.name}-{quant.name}.lock.json"

    @classmethod
    def read(cls, path: Path) -> Lock | None:
        """``None`` when there is none. Raises :class:`ModelError` when it cannot be read."""
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            text, projector = (LockedFile(**file) for file in raw.pop("files"))
            return cls(**raw, files=(text, projector))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as exc:
            raise ModelError(f"{path}: cannot be read; pull the model again") from exc

    def write(self, path: Path) -> None:
        """Replaces the file in one step. Raises :class:`OSError`."""
        fresh = path.with_name(path.name + ".new")
        fresh.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        fresh.replace(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFiles:
    """A model that may be loaded: both files are whole, belong together and match their lock."""

    row: ModelRow
    text: Path
    projector: Path
    header: gguf.Header
    #: What was pulled; ``None`` for the shipped model and for a path of the owner's.
    lock: Lock | None = None
    #: Whether the owner named the files himself.
    own: bool = False

    @property
    def bytes(self) -> int:
        return self.text.stat().st_size + self.projector.stat().st_size


@cache
def rows() -> tuple[ModelRow, ...]:
    """The known models, the shipped one first."""
    return table((Path(__file__).parent / "models.toml").read_text(encoding="utf-8"))


def table(text: str) -> tuple[ModelRow, ...]:
    """The rows of a table of models. Raises :class:`ModelError` when a row has no files to it."""
    return tuple(_row(name, raw) for name, raw in tomllib.loads(text).items())


def _row(name: str, raw: dict[str, Any]) -> ModelRow:
    if "quants" not in raw:
        # TOML reads a dot in a bare name as a table within a table.
        inner = next((f"{name}.{key}" for key, value in raw.items() if isinstance(value, dict)), "NAME")
        raise ModelError(
            f"models.toml: [{name}] has no quants; a name with a dot stands in quotes, "
            f'["{inner}"] and ["{inner}".quants.QUANT]'
        )
    quants = tuple(
        Quant(name=quant, text=HubFile(**files["text"]), projector=HubFile(**files["projector"]))
        for quant, files in raw.pop("quants").items()
    )
    return ModelRow(name=name, quants=quants, **raw)


def find(name: str) -> tuple[ModelRow, Quant | None]:
    """A known model by ``NAME`` or ``NAME:QUANT``. Raises :class:`ModelError`."""
    plain, _, quant = name.partition(":")
    for row in rows():
        if row.name == plain.lower():
            return row, row.quant(quant) if quant else None
    known = ", ".join(row.name for row in rows())
    raise ModelError(f"{name!r} is neither a known model ({known}) nor a path to a .gguf file")


def resolve(model: str, mmproj: str, models_dir: Path) -> ModelFiles:
    """The files behind ``model``: a known name, or a path to a .gguf. Raises :class:`ModelError`.

    May take as long as hashing the files takes, once after they came or changed.
    """
    if model.lower().endswith(".gguf"):
        return _own(Path(model).expanduser(), mmproj)
    row, quant = find(model)
    if mmproj:
        raise ModelError(f"mmproj is set ({mmproj}), but {row.name} brings its own; remove the key")
    if not row.repo:
        return _shipped(row)
    for candidate in row.quants if quant is None else (quant,):
        lock_path = Lock.path(models_dir, row, candidate)
        if (lock := Lock.read(lock_path)) is not None:
            return _pulled(row, lock, lock_path)
    raise ModelError(f"{model} is not on this machine yet: python -m bot model pull {model}")


def _shipped(row: ModelRow) -> ModelFiles:
    quant = row.quants[0]
    text, projector = ROOT / quant.text.name, ROOT / quant.projector.name
    return _files(row, text, projector)


def _pulled(row: ModelRow, lock: Lock, lock_path: Path) -> ModelFiles:
    folder = lock_path.parent
    checked = tuple(_matching(folder / file.name, file, lock.model) for file in lock.files)
    fresh = replace(lock, files=(checked[0], checked[1]))
    if fresh != lock:
        # In a folder that may not be written the hash is simply computed each time.
        with contextlib.suppress(OSError):
            fresh.write(lock_path)
    return replace(_files(row, folder / checked[0].name, folder / checked[1].name), lock=fresh)


def _matching(path: Path, locked: LockedFile, model: str) -> LockedFile:
    again = f"python -m bot model pull {model} gets it again"
    try:
        stat = path.stat()
    except OSError as exc:
        raise ModelError(f"{path}: this part of {model} is missing; {again}") from exc
    if stat.st_size != locked.bytes:
        raise ModelError(f"{path}: has {stat.st_size} bytes instead of the {locked.bytes} that were pulled; {again}")
    if stat.st_mtime_ns == locked.mtime_ns:
        return locked
    if sha256(path) != locked.sha256:
        raise ModelError(f"{path}: was changed since it was pulled (its SHA-256 differs from the lock); {again}")
    return replace(locked, mtime_ns=stat.st_mtime_ns)


def _own(text: Path, mmproj: str) -> ModelFiles:
    projector = Path(mmproj).expanduser() if mmproj else _beside(text)
    header = gguf.read(text)
    return replace(_files(_row_of(header), text, projector), own=True)


def _beside(text: Path) -> Path:
    found = sorted(text.parent.glob("*mmproj*.gguf"))
    if len(found) == 1:
        return found[0]
    which = f"there are {len(found)}" if found else "there is none"
    raise ModelError(
        f"{text}: the projector (mmproj) that belongs to it is needed, and {which} beside it; "
        "name it in inference.mmproj"
    )


def _row_of(header: gguf.Header) -> ModelRow:
    """What is to be assumed of the owner's own file: that of the known file by that name, or what its header says."""
    for row in rows():
        if header.path.name in (Path(quant.text.name).name for quant in row.quants):
            return row
        if header.prompt_sha256 and not row.repo:
            return row
    model = HubFile(name=header.path.name, bytes=header.size)
    return ModelRow(
        name=header.path.stem,
        title=header.name,
        licence="",
        repo="",
        quants=(Quant(name="", text=model, projector=HubFile(name="", bytes=0)),),
        layers=header.layers,
        kv_bytes_per_cell=header.kv_bytes_per_cell,
        buffers=500_000_000,
        chat="chatml",
        prompt="full",
        fact_lines=8,
        square=False,
        greedy=False,
        note_zh="店主自己指定的模型，能力未知。",
        note_en="A model of the owner's choice; nothing is known of what it is good for.",
    )


def _files(row: ModelRow, text: Path, projector: Path) -> ModelFiles:
    header = gguf.read(text)
    gguf.pair(header, gguf.read(projector))
    if CHATS[row.chat] not in header.template:
        raise ModelError(
            f"{text}: its chat template is not {row.chat}, the only one that is spoken here; "
            "take an Instruct model of the Qwen family"
        )
    # Once the file is there, its shape is what it says itself.
    shaped = replace(row, layers=header.layers, kv_bytes_per_cell=header.kv_bytes_per_cell or row.kv_bytes_per_cell)
    return ModelFiles(row=shaped, text=text, projector=projector, header=header)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# ------------------------------------------------------------------------------------------------ advice


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What this machine has for a model, in bytes."""

    main: int
    #: Of the graphics card; on a Mac the part of the main memory that it may use.
    graphics: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    ok: bool
    #: In plain words.
    says: str


def fits(row: ModelRow, quant: Quant, memory: Memory, n_ctx: int) -> Fit:
    need = row.memory(quant, n_ctx)
    if need <= memory.graphics:
        return Fit(ok=True, says="yes, whole on the graphics card")
    if need > memory.main:
        return Fit(ok=False, says=f"no, it takes {gigabytes(need)} and this machine has {gigabytes(memory.main)}")
    if memory.graphics >= need // 4:
        return Fit(ok=True, says="yes, partly on the graphics card, the rest on the processor")
    slow = "; slow" if quant.bytes > 3_000_000_000 else ""
    return Fit(ok=True, says=f"yes, on the processor{slow}")


def gigabytes(count: int) -> str:
    """Bytes as people read them: «5.0 GB», «12 MB»."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of ``model list``."""

    row: ModelRow
    quant: Quant
    #: Bytes on disk, or to be downloaded.
    bytes: int
    #: Bytes of memory with the configured context.
    memory: int
    fit: Fit
    installed: bool


def catalogue(models_dir: Path, memory: Memory, n_ctx: int) -> list[Entry]:
    """All that can be had, with what fits this machine."""
    return [
        Entry(
            row=row,
            quant=quant,
            bytes=quant.bytes,
            memory=row.memory(quant, n_ctx),
            fit=fits(row, quant, memory, n_ctx),
            installed=_installed(models_dir, row, quant),
        )
        for row in rows()
        for quant in row.quants
    ]


def _installed(models_dir: Path, row: ModelRow, quant: Quant) -> bool:
    if not row.repo:
        return (ROOT / quant.text.name).exists() and (ROOT / quant.projector.name).exists()
    return Lock.path(models_dir, row, quant).exists()


def verify(files: ModelFiles) -> list[Finding]:
    """What ``doctor`` and ``model check`` say of a model that :func:`resolve` let through."""
    title = f"{files.row.title}, {gigabytes(files.bytes)}"
    found = [Finding(ok=True, what=f"model {title}: both files are whole and belong together")]
    if files.lock is not None:
        found.append(Finding(ok=True, what=f"model files match what {files.lock.source} announced (SHA-256)"))
    elif files.own:
        found.append(Finding(ok=True, what=f"{files.text} is your own choice: nobody vouches for the file"))
    else:
        found.append(Finding(ok=True, what="model files are those that came with the program"))
    return found
