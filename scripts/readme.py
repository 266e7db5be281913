"""Writes the generated part of README.md, the table of all settings, from bot.toml: ``python -m scripts.readme``."""  # noqa: INP001 - beside shell scripts

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- settings: made by `python -m scripts.readme` from bot.toml -->", "<!-- end of settings -->"


def table(toml: str) -> str:
    """The settings as a Markdown table: a key's comment is the line above it."""
    rows = ["| Key | Default | What it does |", "|---|---|---|"]
    section = comment = ""
    for line in toml.splitlines():
        if header := re.fullmatch(r"\[([a-z.]+)\]", line):
            section = header[1]
        elif pair := re.fullmatch(r"([a-z_]+) = (.+)", line):
            rows.append(f"| `{section}.{pair[1]}` | `{pair[2]}` | {comment.replace('|', chr(92) + '|')} |")
        comment = line.removeprefix("# ") if line.startswith("# ") else ""
    return "\n".join(rows)


def filled(readme: str, toml: str) -> str:
    """README.md with the table as bot.toml has it now."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table(toml)}\n{END}{after}"


if __name__ == "__main__":
    readme = ROOT / "README.md"
    toml = (ROOT / "bot.toml").read_text(encoding="utf-8")
    readme.write_text(filled(readme.read_text(encoding="utf-8"), toml), encoding="utf-8")
