"""The two hubs: their addresses, and how each lists a repository's files.

As their own clients speak to them: ``huggingface_hub`` («list_repo_tree», «hf_hub_url») and ``modelscope_hub``
(«list_repo_files», «get_download_url»).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

SourceName = Literal["huggingface", "modelscope"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """How one hub is spoken to."""

    name: SourceName
    title: str
    #: Environment variable with another address (a mirror).
    variable: str
    default: str
    #: Address of the list of files, under the endpoint.
    listing: Callable[[str], str]
    #: Address of a file.
    file: Callable[[str, str], str]
    #: The list as it comes → name, size, SHA-256, revision of each file.
    entries: Callable[[Any], list[tuple[str, int, str, str]]]

    def endpoint(self, env: Mapping[str, str]) -> str:
        address = env.get(self.variable, "").strip() or self.default
        return (address if "://" in address else f"https://{address}").rstrip("/")


def _huggingface(raw: Any) -> list[tuple[str, int, str, str]]:
    return [
        (f["path"], int(f["size"]), str(f["lfs"]["oid"]), "main") for f in raw if f["type"] == "file" and f.get("lfs")
    ]


def _modelscope(raw: Any) -> list[tuple[str, int, str, str]]:
    files = raw["Data"]["Files"]
    return [
        (f["Path"], int(f["Size"]), str(f["Sha256"]), str(f.get("Revision") or "master"))
        for f in files
        if f["Type"] == "blob"
    ]


SOURCES: dict[SourceName, Source] = {
    "huggingface": Source(
        name="huggingface",
        title="Hugging Face",
        variable="HF_ENDPOINT",
        default="https://huggingface.co",
        listing=lambda repo: f"/api/models/{repo}/tree/main",
        file=lambda repo, name: f"/{repo}/resolve/main/{quote(name)}",
        entries=_huggingface,
    ),
    "modelscope": Source(
        name="modelscope",
        title="ModelScope",
        variable="MODELSCOPE_ENDPOINT",
        default="https://modelscope.cn",
        listing=lambda repo: f"/api/v1/models/{repo}/repo/files?Revision=master&Recursive=True",
        file=lambda repo, name: f"/api/v1/models/{repo}/repo?Revision=master&FilePath={quote(name, safe='')}",
        entries=_modelscope,
    ),
}
