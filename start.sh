#!/usr/bin/env bash
# Sets everything up on the first start, then runs the bot. Arguments go to `python -m bot run`.
set -eu
here=${BASH_SOURCE[0]%/*}
[ "$here" = "${BASH_SOURCE[0]}" ] || cd "$here/"
. scripts/setup.sh
need run "$@"
trap - INT TERM HUP
exec .venv/bin/python -m bot run "$@"
