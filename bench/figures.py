"""A measured figure beside those of its peers, as ``bench … --json`` prints it."""

from __future__ import annotations

import operator
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inference import hardware

_COMPARE = {"≤": operator.le, "≥": operator.ge}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    name: str
    unit: str
    ours: float | None
    #: What each peer took; ``None`` for one that is not installed.
    peers: Mapping[str, float | None] = field(default_factory=dict)
    #: «≤ 0.55 llama-server», «≥ 20» or nothing.
    target: str | None = None
    #: What to install for a peer that is missing.
    missing: str = ""

    @property
    def ratio(self) -> dict[str, float]:
        """Ours as a multiple of each peer's."""
        if self.ours is None:
            return {}
        return {name: round(self.ours / value, 3) for name, value in self.peers.items() if value}

    @property
    def met(self) -> bool | None:
        """Whether the target is met; ``None`` without a target, or when its peer is not installed."""
        if self.target is None or self.ours is None:
            return None
        sign, limit, *peer = self.target.split(maxsplit=2)
        value = self.ratio.get(peer[0]) if peer else self.ours
        return None if value is None else bool(_COMPARE[sign](value, float(limit)))

    def raw(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "name": self.name,
            "unit": self.unit,
            "ours": self.ours if self.ours is None else round(self.ours, 4),
            "peers": {name: value if value is None else round(value, 4) for name, value in self.peers.items()},
            "ratio": self.ratio,
            "target": self.target,
            "met": self.met,
        }
        return out | ({"missing": self.missing} if self.missing else {})


def machine() -> dict[str, Any]:
    """The machine that the figures are of; ``load`` says whether it was quiet."""
    found = hardware.find()
    return {
        "processor": found.processor,
        "cores": found.cores,
        "memory_gb": round(found.memory / hardware.GIB, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }
