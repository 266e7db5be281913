"""Where one bot keeps its things, and how a command beside it finds the one that runs."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bot.config import Config

_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where this bot keeps things. Relative paths of the configuration start at its folder."""

    root: Path
    #: The database, an SQLite file by its whole path.
    url: str
    #: What tells bots apart whose data lie in one folder.
    name: str
    #: Everything that is neither database nor photo: lock, door, the model's state, copies.
    data: Path
    photos: Path
    models: Path

    @classmethod
    def of(cls, config: Config, root: Path) -> Place:
        """The data lie beside an SQLite file; a database that is no file has them in ``data/``."""
        url, name, data = config.storage.url, "bot", root / "data"
        if url.startswith(_SQLITE):
            file = root / url.removeprefix(_SQLITE)
            url, name, data = f"{_SQLITE}{file}", file.stem, file.parent
        return cls(
            root=root, url=url, name=name, data=data, photos=root / config.storage.photos, models=data / "models"
        )

    def aside(self, folder: Path) -> Place:
        """The same shop and models with everything that is written in another folder: to try things out."""
        return replace(self, url=f"{_SQLITE}{folder / 'try.db'}", name="try", data=folder, photos=folder / "photos")

    @property
    def engine(self) -> Path:
        """The system text's state and the measured rates."""
        return self.data / "engine"

    @property
    def copies(self) -> Path:
        """Copies of the database that are made before a migration."""
        return self.data / "copies"

    @property
    def lock(self) -> Path:
        return self.data / f"{self.name}.lock"

    @property
    def asking(self) -> Path:
        """The lock of the one command that answers questions without a running bot."""
        return self.data / f"{self.name}.ask.lock"

    @property
    def door(self) -> Path:
        """Port and token of the running bot, for its owner only."""
        return self.data / f"{self.name}.door.json"


@contextmanager
def door(path: Path, port: int, token: str) -> Iterator[None]:
    """Port and token of the running bot in a file that only its owner reads; gone with the bot."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"port": port, "token": token, "pid": os.getpid()}, file)
    new.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def door_of(place: Place) -> Mapping[str, str | int] | None:
    """Port and token of the bot that runs on this database, or ``None``."""
    try:
        found = json.loads(place.door.read_text())
        with socket.create_connection(("127.0.0.1", int(found["port"])), timeout=1):
            return {"port": int(found["port"]), "token": str(found["token"])}
    except (OSError, ValueError, KeyError, TypeError):
        # A bot that was killed leaves its door behind; nobody answers there.
        return None
