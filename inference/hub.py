"""Downloads of known models: from Hugging Face, or from ModelScope, which is nearer to most users.

Sizes and SHA-256 come from the hub's own metadata. A file gets its name when both are right, the lock is written when
both files are there. Cut lines, busy hubs and full disks leave the part behind, for the next time.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from bot.errors import ModelError
from inference.download import Download, Meter, Part, Progress, Remote, look, room
from inference.models import Lock, LockedFile, ModelRow, Quant
from inference.sources import SOURCES, Source, SourceName

__all__ = ["SOURCES", "Hub", "Progress", "SourceName", "safe"]

_SHA256 = re.compile(r"[0-9a-f]{64}")
#: No file is larger than 18 digits tell; Python refuses to read numbers of some thousand.
_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})")
_REDIRECTS = {301, 302, 303, 307, 308}
_LATER = {408, 425, 429, 500, 502, 503, 504}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
#: Most seconds that a hub's own word is kept to.
_ASKED = 60.0
#: A try that brought this much was a good one: patience begins anew.
_GOOD = 1 << 16
#: Most bytes of a file that any system knows.
_LARGEST = (1 << 63) - 1


def safe(target: httpx.URL, endpoint: httpx.URL) -> bool:
    """Whether a redirect may be followed: to https anywhere, else only within the place that the owner named."""
    return target.scheme == "https" or (target.scheme, target.netloc) == (endpoint.scheme, endpoint.netloc)


def _reason(exc: BaseException) -> str:
    """What a line broke off of, without numbers of the system. Libraries wrap the one error that says it."""
    inner: BaseException | None = exc
    while inner is not None:
        if isinstance(inner, socket.gaierror):
            return "its name cannot be looked up: is this machine on the network?"
        inner = inner.__cause__ or inner.__context__
    return re.sub(r"\A\[Errno -?[0-9]+\] ", "", str(exc)) or type(exc).__name__


class _Again(Exception):
    """The hub wants us to come back; ``seconds`` when it says so."""

    def __init__(self, why: str, seconds: float = 0.0) -> None:
        super().__init__(why)
        self.seconds = seconds


class Hub:
    """One hub at one address. ``attempts`` tries without progress, ``pause_s`` before the second, doubled each time; a
    try has none when nothing came for ``silence_s``.
    """

    def __init__(
        self,
        source: Source,
        *,
        env: Mapping[str, str] | None = None,
        attempts: int = 6,
        pause_s: float = 1.0,
        silence_s: float = 30.0,
    ) -> None:
        self._source = source
        self._endpoint = source.endpoint(os.environ if env is None else env)
        self._attempts = attempts
        self._pause_s = pause_s
        self._silence_s = silence_s

    async def pull(self, row: ModelRow, quant: Quant, dest: Path, progress: Progress = lambda *_: None) -> Lock:
        """Downloads both files into ``dest``. Raises :class:`ModelError`; what arrived is kept for the next time."""
        if not row.repo:
            raise ModelError(f"{row.name} comes with the program: there is nothing to pull")
        try:
            await asyncio.to_thread(dest.mkdir, parents=True, exist_ok=True)
            async with self._client() as client:
                remotes = await self._remotes(client, row, quant)
                downloads = [Download(remote=remote, path=dest / remote.name) for remote in remotes]
                await asyncio.to_thread(look, downloads)
                room(dest, downloads)
                meter = Meter(downloads, progress)
                for download in downloads:
                    if not download.done:
                        await self._fetch(client, download, meter)
                return await asyncio.to_thread(self._seal, row, quant, dest, downloads)
        except (httpx.InvalidURL, httpx.HTTPError) as exc:  # what patience does not help with
            raise ModelError(
                f"{self._endpoint} cannot be used ({exc}); look at {self._source.variable}, or {self._other()}"
            ) from exc
        except OSError as exc:
            if exc.errno in _FULL:
                free = shutil.disk_usage(dest).free
                raise ModelError(
                    f"{dest}: the disk is full ({free} bytes free); what arrived is kept: make room and pull again"
                ) from exc
            raise ModelError(f"{dest}: cannot be written ({exc.strerror})") from exc

    def _seal(self, row: ModelRow, quant: Quant, dest: Path, downloads: list[Download]) -> Lock:
        files = [
            LockedFile(
                name=download.remote.name,
                revision=download.revision or download.remote.revision,
                bytes=download.remote.size,
                sha256=download.remote.sha256,
                mtime_ns=download.path.stat().st_mtime_ns,
            )
            for download in downloads
        ]
        lock = Lock(
            model=row.name, quant=quant.name, source=self._source.name, repo=row.repo, files=(files[0], files[1])
        )
        lock.write(Lock.path(dest, row, quant))
        return lock

    # --- what there is

    async def _remotes(self, client: httpx.AsyncClient, row: ModelRow, quant: Quant) -> list[Remote]:
        entries = await self._patiently(lambda: self._listing(client, row.repo))
        remotes = []
        for name in (quant.text.name, quant.projector.name):
            if name not in entries:
                raise ModelError(f"{self._source.title} has no {name} in {row.repo}; {self._other()}")
            size, sha, revision = entries[name]
            if size > _LARGEST:
                raise self._strange()
            if not _SHA256.fullmatch(sha) or size <= 0:
                raise ModelError(f"{self._source.title} announces no SHA-256 of {name}; {self._other()}")
            url = self._endpoint + self._source.file(row.repo, name)
            remotes.append(Remote(name=name, size=size, sha256=sha, revision=revision, url=url))
        return remotes

    async def _listing(self, client: httpx.AsyncClient, repo: str) -> dict[str, tuple[int, str, str]]:
        """Name → size, SHA-256, revision."""
        async with self._get(client, self._endpoint + self._source.listing(repo), {}) as response:
            self._refused(response, repo)
            await response.aread()
            try:
                listed = self._source.entries(response.json())
                return {name: (size, sha, revision) for name, size, sha, revision in listed}
            except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as exc:
                # Also a size of 1e999, which JSON reads as infinite, and lists in lists without end.
                raise self._strange() from exc

    # --- a file

    async def _fetch(self, client: httpx.AsyncClient, download: Download, meter: Meter) -> None:
        with Part(download) as part:

            async def go_on() -> None:
                if part.bytes < download.remote.size:
                    await self._stream(client, download, part, meter)

            await self._patiently(go_on, lambda: part.bytes)
            await asyncio.to_thread(part.finish, self._source.title, self._other())

    async def _stream(self, client: httpx.AsyncClient, download: Download, part: Part, meter: Meter) -> None:
        """One try: from where the part ends to the end of the file, or to the next cut."""
        remote = download.remote
        headers = {"Range": f"bytes={part.bytes}-"} if part.bytes else {}
        async with self._get(client, remote.url, headers, download) as response:
            if response.status_code == 416:
                part.restart()
                raise _Again("it does not go on from there")
            self._refused(response, remote.name)
            if response.status_code == 206:
                found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
                if found is None or int(found[1]) != part.bytes:
                    part.restart()
                    raise _Again("it sends another part than the one that was asked for")
                total = int(found[2])
            else:
                part.restart()
                total = int(response.headers.get("Content-Length", remote.size))
            if total != remote.size:
                raise ModelError(
                    f"{self._source.title} announces {remote.size} bytes of {remote.name} and sends {total}; "
                    f"try again later, or {self._other()}"
                )
            async for chunk in response.aiter_raw():
                await asyncio.to_thread(part.append, chunk)
                meter.show(download, part.bytes)
                if part.bytes > remote.size:
                    return  # more than was announced: wrong whatever still comes
        if part.bytes < remote.size:
            raise _Again("it ended early")

    @asynccontextmanager
    async def _get(
        self, client: httpx.AsyncClient, url: str, headers: dict[str, str], download: Download | None = None
    ) -> AsyncIterator[httpx.Response]:
        """A response after its redirects. Those lead to https, or stay on the host that the owner named."""
        for _ in range(6):
            async with client.stream("GET", url, headers=headers) as response:
                if download is not None and (commit := response.headers.get("X-Repo-Commit")):
                    download.revision = commit
                if response.status_code not in _REDIRECTS:
                    yield response
                    return
                target = response.url.join(response.headers.get("Location", ""))
            if not safe(target, httpx.URL(self._endpoint)):
                raise ModelError(
                    f"{self._source.title} leads to {target.scheme}://{target.host}, which is not safe; {self._other()}"
                )
            url = str(target)
        raise ModelError(f"{self._source.title} leads in circles; {self._other()}")

    def _refused(self, response: httpx.Response, what: str) -> None:
        code = response.status_code
        if code in (200, 206):
            return
        if code in _LATER:
            after = response.headers.get("Retry-After", "")
            raise _Again(f"it answers {code}", float(after) if after.isdecimal() else 0.0)
        if code in (401, 403, 404):  # Hugging Face answers 401 for what does not exist
            raise ModelError(f"{self._source.title} has no {what}, or does not give it to everyone; {self._other()}")
        raise ModelError(f"{self._source.title} answers {code} for {what}; {self._other()}")

    # --- patience

    async def _patiently(self, attempt: Callable[[], Awaitable[Any]], so_far: Callable[[], int] = lambda: 0) -> Any:
        """Tries again after a cut or a «later», until nothing more comes for ``attempts`` times."""
        failures, best = 0, so_far()
        while True:
            try:
                return await attempt()
            except (httpx.TransportError, _Again) as exc:
                # Only what was never reached before counts: a hub that makes us begin anew does not get us on.
                now = so_far()
                failures, best = (1, now) if now - best >= _GOOD else (failures + 1, best)
                if failures >= self._attempts:
                    raise ModelError(
                        f"{self._source.title} ({self._endpoint}) cannot be reached or keeps breaking off "
                        f"({_reason(exc)}); what arrived is kept: pull again, {self._other()}, "
                        f"or set {self._source.variable} to a mirror"
                    ) from exc
                wait = self._pause_s * 2.0 ** (failures - 1)
                if isinstance(exc, _Again):
                    wait = max(wait, min(exc.seconds, _ASKED))
            await asyncio.sleep(wait)

    def _client(self) -> httpx.AsyncClient:
        # `identity`: the bytes on the wire are the bytes that were hashed.
        try:
            return httpx.AsyncClient(
                timeout=httpx.Timeout(self._silence_s, connect=min(15.0, self._silence_s)),
                headers={"Accept-Encoding": "identity"},
                follow_redirects=False,
            )
        except (ImportError, ValueError) as exc:  # what httpx raises for a proxy it does not speak
            raise ModelError(
                f"the proxy in the environment cannot be used ({exc}); set HTTPS_PROXY to an http:// address"
            ) from exc

    def _other(self) -> str:
        other = "modelscope" if self._source.name == "huggingface" else "huggingface"
        return f"take --from {other}"

    def _strange(self) -> ModelError:
        return ModelError(
            f"{self._endpoint} does not answer as {self._source.title} does (a login page in between?); {self._other()}"
        )
