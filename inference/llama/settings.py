"""What an engine is told when it is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bot.ports import EngineInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a token is chosen. The defaults are those that Qwen gives for its Instruct models."""

    #: Always the likeliest; the rest is then without effect.
    greedy: bool = False
    temperature: float = 0.7
    top_p: float = 0.8
    top_k: int = 20
    #: Makes a run repeatable; ``None`` draws a fresh one.
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    model: Path
    projector: Path
    info: EngineInfo
    #: Folder for the system text's state and for the measured rates. Nothing of a customer is written there.
    state_dir: Path
    #: Cells of the context, for all conversations together.
    n_ctx: int = 8192
    threads: int = 1
    #: Threads to use instead, if a measurement on the spot says that they help; 0: ``threads`` it is.
    most_threads: int = 0
    gpu_layers: int = 0
    #: Conversations that are answered side by side; each may take ``n_ctx / parallel`` cells.
    parallel: int = 4
    #: Most tokens of a photo.
    visual_tokens: int = 256
    #: The model knows square pictures of exactly ``visual_tokens`` only.
    square: bool = False
    #: Copies the weights into an order that some processors like better: more memory, a slower start.
    repack: bool = False
    sampling: Sampling = field(default_factory=Sampling)
    #: Tokens of an answer for which a shop's prompt must leave room.
    max_tokens: int = 256
    #: Requests that may wait before a further one is refused.
    waiting: int = 64
    #: Preparations that may wait before the oldest is given up for a newer one.
    looks: int = 16
    #: Bytes of conversations kept in memory beside the context.
    parked_bytes: int = 512 << 20
    #: Bytes of encoded photos kept in memory.
    photo_bytes: int = 128 << 20
