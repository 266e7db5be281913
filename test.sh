#!/usr/bin/env bash
# Sets everything up and runs every check. `./test.sh -k word` (any arguments of pytest) runs those tests only.
set -eu
here=${BASH_SOURCE[0]%/*}
[ "$here" = "${BASH_SOURCE[0]}" ] || cd "$here/"
. scripts/setup.sh
need check
python=.venv/bin/python log=build/check.log wrong=0
mkdir -p build
: >"$log"

# check NAME COMMAND… – a step whose output is shown when it fails; the others are run all the same
check() {
  local before
  before=$(wc -c <"$log")
  step "$@" && return
  printf '  %s✗%s %s\n' "$red" "$plain" "$1"
  tail -c +$((before + 1)) "$log"
  wrong=1
}

# The page's scripts are modules, and node reads a file as one only by its name; so it reads them from a pipe.
scripts_are_sound() {
  local file status=0
  for file in $(git ls-files -co --exclude-standard 'adapters/*.js'); do
    node --input-type=module --check <"$file" || { echo "^ in $file" && status=1; }
  done
  return $status
}

# What the page's tests need from the system: a browser, and letters to write Chinese with.
browser() {
  command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1
}
letters() { [ -n "$(fc-list :lang=zh family 2>/dev/null)" ]; }
system_pieces() {
  local lacking=
  browser || lacking=' chromium'
  letters || lacking="$lacking fonts-noto-cjk"
  [ -n "$lacking" ] || return 0
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    # shellcheck disable=SC2086 # words
    check "from the system:$lacking" apt_install $lacking
    browser && letters && return
  fi
  [ -z "${CI:-}" ] || die "the page cannot be tested without$lacking." "sudo apt install$lacking"
  say "  – the page's tests in a browser are skipped without$lacking (sudo apt install$lacking)"
}
apt_install() {
  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends fontconfig "$@"
}

system_pieces
if [ $# -eq 0 ]; then
  check 'format (ruff format)' $python -m ruff format --check .
  check 'lint (ruff)' $python -m ruff check .
  check 'types (mypy)' $python -m mypy
  check 'import direction (import-linter)' $python -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'
  if command -v node >/dev/null 2>&1; then
    check "the page's scripts (node)" scripts_are_sound
  else
    say "  – the page's scripts are not checked: there is no node"
  fi
  [ $wrong -eq 0 ] || die 'not all checks passed (above); the tests were not begun.' 'The tests alone: ./test.sh tests'
fi
trap - INT TERM HUP
exec $python -m pytest "$@"
