"""Photographs of the real world that packages carry: what teaches the model to say «not of this shop».

Nothing of them is committed. Debian's packages are fetched by ``apt-get download`` and unpacked without being
installed; where there is no apt-get, what the Python packages carry has to do. ``held_out.txt`` names the real
photographs that no training sees: they are for the score.
"""

from __future__ import annotations

import importlib.util
import io
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

#: Package → licence of the pictures that are taken from it (see each package's copyright file).
DEBIAN = {
    "gcompris-qt-data": "CC-BY-SA-3.0, CC-BY-SA-4.0, CC-BY-2.0, public domain, GPL-3+",
    "gnome-backgrounds": "CC-BY-SA-3.0, CC-BY-2.0",
    "lomiri-wallpapers-16.04": "CC-BY-4.0, CC-BY-SA-3.0, CC-BY-SA-4.0, CC0-1.0",
    "lomiri-wallpapers-20.04": "CC-BY-4.0, CC-BY-SA-3.0, CC-BY-SA-4.0, CC0-1.0",
    "mate-backgrounds": "GPL-2+, CC-BY-SA-4.0",
    "opencv-doc": "BSD-3-Clause, Apache-2.0, BSD-2-Clause",
    "plasma-workspace-wallpapers": "GPL-2+",
    "sway-backgrounds": "MIT",
    "tuxpaint-stamps-default": "GPL-2",
    "ukui-wallpapers": "CC-BY-SA-3.0",
}
PYTHON = {"skimage": "CC0, public domain, BSD-3-Clause", "sklearn": "CC-BY-2.0", "matplotlib": "public domain"}
HELD_OUT = frozenset((Path(__file__).parent / "held_out.txt").read_text(encoding="utf-8").split())
_KINDS = (".jpg", ".jpeg", ".png", ".webp")
_SIDE = 384
#: Fewer held out photographs than these tell nothing.
LEAST = 40


def fetch(folder: Path) -> Path:
    """Unpacks the Debian packages below ``folder/packages``; goes on where an earlier run stopped."""
    packages = folder / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return packages
    for name in DEBIAN:
        if (packages / name).exists():
            continue
        # No installation and no rights needed: the archive is fetched and laid open.
        subprocess.run(["apt-get", "download", name], cwd=packages, check=False, capture_output=True)
        for archive in packages.glob(f"{name}_*.deb"):
            half = packages / f"{name}.part"
            subprocess.run(["dpkg-deb", "-x", archive, half], check=True)
            half.rename(packages / name)
            archive.unlink()
    return packages


def collect(folder: Path) -> tuple[int, int]:
    """Brings every different picture, reduced, into ``folder/seen`` and ``folder/held``; returns how many lie
    in each. Ends the training when too few came: their figure would be lost after three hours.
    """
    seen, held = folder / "seen", folder / "held"
    if not (folder / "done").exists():
        for where in (seen, held):
            where.mkdir(parents=True, exist_ok=True)
        marks: list[int] = []
        for package, name, data in _candidates(fetch(folder)):
            picture = _reduced(data, small=package == "tuxpaint-stamps-default")
            if picture is None:
                continue
            mark = _mark(picture)
            if any((mark ^ known).bit_count() < 4 for known in marks):
                continue
            marks.append(mark)
            file = f"{package}__{name}.png"
            picture.save((held if file in HELD_OUT else seen) / file)
        if (came := len(list(held.iterdir()))) < LEAST:
            lacking = " ".join(name for name in DEBIAN if not (folder / "packages" / name).exists())
            raise SystemExit(
                f"{came} photographs were held out and {LEAST} are needed; these packages did not come: {lacking}. "
                "Look at the network, run apt-get update, and start the same command again"
            )
        (folder / "done").touch()
    return len(list(seen.iterdir())), len(list(held.iterdir()))


def _candidates(packages: Path) -> Iterator[tuple[str, str, bytes]]:
    """(package, a name, the file's bytes)"""
    roots = [(package, packages / package) for package in DEBIAN]
    for package in PYTHON:
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            roots.append((package, Path(spec.origin).parent))
    for package, root in roots:
        for file in sorted(root.rglob("*")) if root.exists() else ():
            if file.suffix.lower() in _KINDS and file.is_file() and file.stat().st_size > 8000:
                yield package, file.stem, file.read_bytes()
            elif file.suffix == ".rcc":
                # Qt's archive of an activity: its WebP pictures lie in it as they are.
                data, at = file.read_bytes(), 0
                while (at := data.find(b"RIFF", at)) >= 0:
                    size = 8 + int.from_bytes(data[at + 4 : at + 8], "little")
                    if data[at + 8 : at + 12] == b"WEBP":
                        yield package, f"{file.name}@{at}", data[at : at + size]
                    at += 4


def _reduced(data: bytes, *, small: bool) -> Image.Image | None:
    try:
        with Image.open(io.BytesIO(data)) as opened:
            if min(opened.size) < 100 and not small:
                return None
            opened.draft("RGB", (_SIDE, _SIDE))
            picture = opened.convert("RGBA" if opened.mode in ("RGBA", "LA", "P") else "RGB")
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    picture.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema()[0] == 255:
        picture = picture.convert("RGB")
    return picture


def _mark(picture: Image.Image) -> int:
    """64 bits by which the same picture in another size is known."""
    grey = picture.convert("L").resize((8, 8), Image.Resampling.BOX).tobytes()
    mean = sum(grey) / 64
    return sum(1 << place for place, value in enumerate(grey) if value > mean)
