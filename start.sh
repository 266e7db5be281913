#!/usr/bin/env bash
# Sets everything up on the first start, then runs the bot. Arguments go to `python -m bot run`.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")"
. scripts/setup.sh
need run "$@"
trap - INT TERM HUP
exec .venv/bin/python -m bot run "$@"
