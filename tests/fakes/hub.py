"""Hugging Face and ModelScope on loopback: a real HTTP server with the faults that real lines have."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

REVISION = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class FakeHub:
    """What the hubs hold, and what goes wrong. ``seen`` lists what was asked: (path, Range)."""

    repo: str
    files: dict[str, bytes]
    #: Bytes that are sent where the files' own were announced.
    wrong: dict[str, bytes] = field(default_factory=dict)
    #: Sizes that are announced instead of the true ones.
    announced: dict[str, int] = field(default_factory=dict)
    #: Each file request takes one: the connection is cut after so many bytes.
    cuts: list[int] = field(default_factory=list)
    #: Each request takes one: the status that is answered instead.
    statuses: list[int] = field(default_factory=list)
    #: Whether files are sent whole, whatever range was asked for.
    ignores_range: bool = False
    #: Whether every range is refused.
    refuses_range: bool = False
    #: Added to the start of every range that is sent.
    shifted: int = 0
    #: Bytes that follow the end of a file.
    tail: bytes = b""
    #: Whether files are sent without their length: only the end of the connection ends them.
    unsized: bool = False
    #: Where files are really kept: «{base}» is this server.
    leads_to: str = "{base}/cdn/{name}"
    #: The answer to a request for the list, in place of the list.
    listing: bytes | None = None
    #: Seconds between pieces of a file.
    pause_s: float = 0.0
    #: The range that is said to be sent, in place of the true one.
    content_range: str = ""
    #: Seconds that a «later» asks for.
    retry_after: str = ""
    seen: list[tuple[str, str]] = field(default_factory=list)
    #: What each request would take besides the plain bytes, whose hash is known.
    encodings: list[str] = field(default_factory=list)
    base: str = ""

    @property
    def env(self) -> dict[str, str]:
        return {"HF_ENDPOINT": self.base, "MODELSCOPE_ENDPOINT": self.base}

    @property
    def ranges(self) -> list[str]:
        """The ranges that were asked of the files' true place."""
        return [asked for path, asked in self.seen if path.startswith("/cdn/")]

    def sha256(self, name: str) -> str:
        return hashlib.sha256(self.files[name]).hexdigest()

    def huggingface(self) -> Any:
        return [
            {"type": "directory", "oid": "1" * 40, "size": 0, "path": "old"},
            {"type": "file", "oid": "2" * 40, "size": 5, "path": "README.md"},
            *(
                {
                    "type": "file",
                    "oid": "3" * 40,
                    "size": self.announced.get(name, len(data)),
                    "path": name,
                    "lfs": {"oid": self.sha256(name), "size": len(data), "pointerSize": 135},
                }
                for name, data in self.files.items()
            ),
        ]

    def modelscope(self) -> Any:
        files = [
            {
                "Name": name,
                "Path": name,
                "Type": "blob",
                "Revision": REVISION,
                "Size": self.announced.get(name, len(data)),
                "Sha256": self.sha256(name),
                "IsLFS": True,
            }
            for name, data in self.files.items()
        ]
        folder = {"Name": "old", "Path": "old", "Type": "tree", "Revision": REVISION, "Size": 0, "Sha256": ""}
        return {"Code": 200, "Success": True, "Message": "success", "Data": {"Files": [folder, *files]}}

    @contextmanager
    def serving(self) -> Iterator[FakeHub]:
        server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        server.daemon_threads = True
        self.base = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away in the middle is part of the play; anything else is a fault of this stand-in."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        hub, url = self.hub, urlsplit(self.path)
        hub.seen.append((url.path, self.headers.get("Range", "")))
        hub.encodings.append(self.headers.get("Accept-Encoding", ""))
        if hub.statuses:
            status = hub.statuses.pop(0)
            if status != 200:
                self._answer(status, b"", {"Retry-After": hub.retry_after} if hub.retry_after else {})
                return
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        if url.path == f"/api/models/{hub.repo}/tree/main":
            self._list(hub.huggingface())
        elif url.path == f"/api/v1/models/{hub.repo}/repo/files" and query.get("Revision") == "master":
            self._list(hub.modelscope())
        elif url.path.startswith(f"/{hub.repo}/resolve/main/"):
            self._lead(unquote(url.path.rsplit("/", 1)[1]))
        elif url.path == f"/api/v1/models/{hub.repo}/repo" and query.get("Revision") == "master":
            self._lead(query["FilePath"])
        elif url.path.startswith("/cdn/"):
            self._file(unquote(url.path.removeprefix("/cdn/")))
        else:
            self._answer(404, b'{"error":"Repository not found"}')

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def _list(self, listing: Any) -> None:
        hub = self.hub
        self._answer(200, json.dumps(listing).encode() if hub.listing is None else hub.listing)

    def _lead(self, name: str) -> None:
        if name not in self.hub.files:
            self._answer(404, b"Entry not found")
            return
        location = self.hub.leads_to.format(base=self.hub.base, name=name)
        self._answer(302, b"", {"Location": location, "X-Repo-Commit": REVISION})

    def _file(self, name: str) -> None:
        hub = self.hub
        data = hub.wrong.get(name, hub.files[name])
        asked, start = self.headers.get("Range", ""), 0
        if asked and hub.refuses_range:
            self._answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
            return
        if asked and not hub.ignores_range:
            start = int(asked.removeprefix("bytes=").split("-")[0]) + hub.shifted
        body = data[start:]
        self.send_response(206 if start else 200)
        body += hub.tail
        if hub.unsized:
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(body)))
        if start:
            self.send_header("Content-Range", hub.content_range or f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        cut = hub.cuts.pop(0) if hub.cuts else len(body)
        for at in range(0, min(cut, len(body)), 16_384):
            self.wfile.write(body[at : min(at + 16_384, cut)])
            if hub.pause_s:
                time.sleep(hub.pause_s)
        if cut < len(body):
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
