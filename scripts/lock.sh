#!/usr/bin/env bash
# Writes the locked dependencies anew from pyproject.toml, for every Python and platform at once:
#   requirements-build.txt  what compiles llama.cpp, and the pip that installs all
#   requirements.txt        what the bot needs
#   requirements-dev.txt    what ./test.sh needs besides
# Versions that still fit are kept; `scripts/lock.sh --upgrade` takes the newest. Needs the environment of ./test.sh.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/.."

compile() { # FILE ARGUMENT…
  local file=$1
  shift
  .venv/bin/python -m uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
    --custom-compile-command scripts/lock.sh --output-file "$file" "$@" "${upgrade[@]+"${upgrade[@]}"}" >/dev/null
}

upgrade=("$@")
compile requirements-build.txt --group build
compile requirements.txt pyproject.toml
compile requirements-dev.txt pyproject.toml --group dev --constraints requirements.txt
