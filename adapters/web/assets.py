"""The page's files, held in memory: they are few and small, and each is asked for at once by a page that opens."""

from __future__ import annotations

import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


class Assets:
    """One folder of files under an address that names their content, so that browsers may keep them for good."""

    def __init__(self, folder: Path) -> None:
        self._files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in _TYPES}
        digest = hashlib.sha256()
        for name, data in self._files.items():
            digest.update(f"{name} {len(data)} ".encode() + data)
        #: Changes with any of the files.
        self.build = digest.hexdigest()[:16]
        self.path = f"static/{self.build}"

    def names(self, suffix: str) -> list[str]:
        return [name for name in self._files if name.endswith(suffix)]

    async def serve(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._files:
            return PlainTextResponse("Not Found", 404)
        return Response(self._files[name], media_type=_TYPES[Path(name).suffix])
