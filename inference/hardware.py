"""What this machine has, and what follows from it: layers on the card, threads, the cost of a photo. Said plainly.

Finding looks at the machine; choosing is pure. Which accelerators llama.cpp can use depends on how it was built, so the
list of them is handed in (``inference.llama.devices``).
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bot.ports import Finding

MIB = 1 << 20
GIB = 1 << 30

Kind = Literal["cuda", "metal", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """An accelerator that llama.cpp, as it was built, can use."""

    name: str
    kind: Kind
    #: Bytes of memory that are free on it now.
    free: int
    #: Whether its memory is the machine's own (Apple).
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    processor: str
    #: Cores that compute, not their hyper-threads.
    cores: int
    #: Processors that this process may use: a container often has fewer than the machine.
    allowed: float
    #: Bytes of memory that can be had now.
    memory: int
    devices: tuple[Device, ...] = ()
    #: An NVIDIA card is in the machine, whether or not llama.cpp was built for it.
    nvidia: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a model costs, from its file's head."""

    #: Bytes of the text model's file and of the projector's.
    text: int
    projector: int
    layers: int
    #: Bytes of one token in the context's memory.
    cell: int
    #: Bytes that llama.cpp takes beside weights and context.
    buffers: int = 400 * MIB
    #: Tokens of every photo, of a model that knows one size only.
    photo: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    gpu_layers: int
    threads: int
    #: Threads that a measurement on the spot may allow instead; 0 when the owner has decided.
    most_threads: int
    visual_tokens: int
    parallel: int
    #: Plain sentences: what was found, what was chosen and why.
    reasons: tuple[str, ...]
    #: What will not do, and the way out.
    troubles: tuple[Finding, ...] = ()


#: Tokens of a shop's prompt, about: persona, rules, and a policy of a page.
_PROMPT = 700
#: Tokens of a question with its facts, a few turns before it, and what frames them.
_TALK = 400
#: A photo of fewer tokens says nothing.
_LEAST_PHOTO = 16


def find(devices: Sequence[Device] = (), *, root: Path = Path("/")) -> Hardware:
    """Looks at the machine. ``root`` is where ``/proc`` and ``/sys`` lie."""
    return Hardware(
        processor=_processor(root),
        cores=_cores(root),
        allowed=_allowed(root),
        memory=_memory(root),
        devices=tuple(devices),
        nvidia=shutil.which("nvidia-smi") is not None or (root / "proc/driver/nvidia/version").exists(),
    )


def choose(
    hardware: Hardware,
    shape: Shape,
    *,
    n_ctx: int,
    gpu_layers: int | None = None,
    threads: int | None = None,
    visual_tokens: int | None = None,
    parallel: int | None = None,
    photos: int = 4,
    max_tokens: int = 256,
) -> Choice:
    """What to run a model with; a value that the owner set is kept. Pure.

    ``photos``: most of one message; it must fit into one conversation's share of ``n_ctx``, beside the shop's prompt
    and an answer of ``max_tokens``.
    """
    reasons = [_found(hardware)]
    context = shape.cell * n_ctx
    device = max(hardware.devices, key=lambda device: device.free, default=None)
    layers = 0
    if device is not None:
        layers, why = _layers(device, shape, context)
        reasons.append(why)
    elif hardware.nvidia:
        reasons.append(
            "An NVIDIA card is here, but llama.cpp was built without CUDA: install the CUDA toolkit (nvcc), remove "
            ".venv and start again."
        )
    troubles: list[Finding] = []
    if gpu_layers and device is None:
        what = (
            f"inference.gpu_layers is {gpu_layers}, and there is no card that llama.cpp can use: the processor computes"
        )
        troubles.append(Finding(ok=False, what=what, fix='write gpu_layers = "auto", or see to the card'))
    elif gpu_layers is not None:
        layers = gpu_layers
        reasons.append(f"{layers} layers go to the card, as inference.gpu_layers says.")
    usable = max(1, min(hardware.cores, int(hardware.allowed)))
    chosen_threads = threads if threads is not None else max(1, usable - 1)
    if threads is not None:
        reasons.append(f"{threads} {_plural('thread', threads)}, as inference.threads says.")
    elif layers > shape.layers:
        reasons.append(f"{chosen_threads} {_plural('thread', chosen_threads)} beside the card.")
    elif usable > 1:
        reasons.append(
            f"{chosen_threads} {_plural('thread', chosen_threads)} for the model and one core for receiving messages; "
            f"{usable} if a measurement at the start shows that they help."
        )
    else:
        reasons.append("1 thread for the model: there is no core to spare.")
    whole = layers > shape.layers
    beside = _PROMPT + _TALK + max_tokens
    if shape.photo is not None:
        photo = shape.photo
        ignored = ", whatever photos.visual_tokens says" if visual_tokens not in (None, photo) else ""
        reasons.append(f"A photo costs {photo} tokens: this model knows no other size{ignored}.")
    elif visual_tokens is not None:
        photo = visual_tokens
        reasons.append(f"A photo costs at most {photo} tokens, as photos.visual_tokens says.")
    else:
        photo = max(_LEAST_PHOTO, min(_visual_tokens(whole, usable), (n_ctx // (parallel or 1) - beside) // photos))
        reasons.append(
            f"A photo costs at most {photo} tokens"
            + (", since the card computes it." if whole else ": on a plain processor each costs time.")
        )
    wanted = beside + photos * photo
    side_by_side = parallel if parallel is not None else max(1, min(8 if whole else 4, n_ctx // wanted))
    reasons.append(
        f"{side_by_side} {_plural('conversation', side_by_side)} side by side, {n_ctx // side_by_side} tokens for each."
    )
    if n_ctx // side_by_side < wanted:
        what = f"a message with {photos} photos wants about {wanted} tokens and may not fit"
        troubles.append(Finding(ok=False, what=what, fix=f"make inference.n_ctx at least {wanted * side_by_side}"))
    needed = shape.text + shape.projector + context + shape.buffers
    on_card = needed if whole and device is not None and not device.shared else 0
    if hardware.memory < needed - on_card:
        what = f"the model needs {_size(needed - on_card)} of memory and {_size(hardware.memory)} can be had"
        fix = "choose a smaller model (python -m bot model list) or a smaller inference.n_ctx, or close other programs"
        troubles.append(Finding(ok=False, what=what, fix=fix))
    return Choice(
        gpu_layers=layers,
        threads=chosen_threads,
        most_threads=usable if threads is None and layers <= shape.layers else 0,
        visual_tokens=photo,
        parallel=side_by_side,
        reasons=tuple(reasons),
        troubles=tuple(troubles),
    )


def _layers(device: Device, shape: Shape, context: int) -> tuple[int, str]:
    """As many layers as fit beside the projector, one more than there are when the output fits too."""
    total = shape.layers + 1
    room = device.free - shape.projector - shape.buffers
    # The context's memory lies with its layers.
    each = (shape.text + context) / total
    layers = max(0, min(total, int(room // each)))
    if layers == total:
        return total, f"All layers go to {device.name}: {_size(device.free)} are free there."
    if not layers:
        return 0, f"{device.name} has only {_size(device.free)} free: the processor computes."
    return layers, f"{layers} of {total} layers go to {device.name}: more do not fit into {_size(device.free)}."


def _visual_tokens(on_card: bool, cores: int) -> int:
    """256 of them cost an 8B 20 s on two cores; on a card, the whole of a 768×768 photo costs less than a second."""
    if on_card:
        return 576
    return 256 if cores >= 8 else 144 if cores >= 4 else 100


def _found(hardware: Hardware) -> str:
    cores = f"{hardware.cores} {_plural('core', hardware.cores)}"
    if hardware.allowed < hardware.cores:
        cores += f" (of which this process may use {hardware.allowed:g})"
    cards = " and ".join(f"{device.name} with {_size(device.free)} free" for device in hardware.devices)
    return f"{hardware.processor}, {cores}, {_size(hardware.memory)} of memory to be had" + (
        f"; {cards}." if cards else "; no card that llama.cpp can use."
    )


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def _size(count: int) -> str:
    return f"{count / GIB:.1f} GB" if count >= GIB else f"{max(0, count) // MIB} MB"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _processor(root: Path) -> str:
    for line in _text(root / "proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or "a processor"


def _cores(root: Path) -> int:
    """Physical cores: distinct (package, core) pairs; without them, all processors."""
    pairs = set()
    for cpu in (root / "sys/devices/system/cpu").glob("cpu[0-9]*"):
        package, core = _text(cpu / "topology/physical_package_id"), _text(cpu / "topology/core_id")
        if core:
            pairs.add((package.strip(), core.strip()))
    return len(pairs) or os.cpu_count() or 1


def _allowed(root: Path) -> float:
    """Processors by affinity and by the control group's quota (v2, then v1)."""
    count = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    quota = _text(root / "sys/fs/cgroup/cpu.max").split()
    if len(quota) != 2:
        quota = [
            _text(root / "sys/fs/cgroup/cpu/cpu.cfs_quota_us").strip(),
            _text(root / "sys/fs/cgroup/cpu/cpu.cfs_period_us").strip(),
        ]
    if all(part.isdigit() for part in quota) and int(quota[1]):
        count = min(count, int(quota[0]) / int(quota[1]))
    return max(count, 1.0)


def _memory(root: Path) -> int:
    """Bytes that can be had: what the machine has available, or what the control group leaves."""
    available = 0
    for line in _text(root / "proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            available = int(line.split()[1]) * 1024
    if not available and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        # Elsewhere than on Linux: all there is, since macOS gives up its caches when asked.
        available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        most, taken = (_text(root / "sys/fs/cgroup" / name).strip() for name in (limit, used))
        if most.isdigit() and taken.isdigit():
            available = min(available, max(0, int(most) - int(taken)))
    return available
