# The set-up that ./start.sh and ./test.sh share; sourced by both, from the repository's root.
#
#   need run …   makes .venv with requirements.txt        (nothing to do: 0.1 s); the rest is what `run` will be given
#   need check   the same, with requirements-dev.txt
#   step NAME COMMAND…   runs a command behind one living line that ends in ✓ and its seconds
#
# .venv is whole when .venv/ready exists: it is written last, and holds what was installed. Whatever is not whole, not up
# to date or does not run is made anew; pip's cache has the wheels, so that costs seconds. The long part, compiling
# llama.cpp, touches nothing in .venv and keeps its state in build/llama: interrupted, it goes on where it was.
# Everything stays below this folder, but pip's cache. Works with bash 3.2 (macOS).

log=build/setup.log
llama=build/llama
child=

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
  live=1 red=$'\033[31m' plain=$'\033[0m' line=$'\r\033[K'
else
  live='' red='' plain='' line=''
fi

# draw TEXT – the living line, cut to the terminal's width: a line that wraps cannot be drawn over
draw() {
  local size width
  size=$(stty size 2>/dev/null </dev/tty) || size=
  width=${size#* }
  [ "${width:-0}" -gt 1 ] 2>/dev/null || width=80
  printf '%s%s' "$line" "${1:0:width-1}"
}

say() { printf '%s\n' "$*"; }

# die WHAT TODO… – one thing that went wrong and the way out
die() {
  printf '%s%sError%s: %s\n' "$line" "$red" "$plain" "$1" >&2
  shift
  for todo in "$@"; do printf '       %s\n' "$todo" >&2; done
  exit "${code:-1}"
}

# ------------------------------------------------------------------------------------------------ steps

# Ctrl-C, a closed terminal: the whole group of what runs is ended, compilers too.
interrupted() {
  trap '' INT TERM HUP
  if [ -n "$child" ]; then
    kill -TERM -- "-$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
  fi
  printf '%sInterrupted. Start it again and it goes on.\n' "$line" >&2
  exit 130
}
trap interrupted INT TERM HUP

# run COMMAND… – into the log, in a process group of its own; `progress` draws meanwhile. The command's exit status.
run() {
  printf '\n$ %s\n' "$*" >>"$log"
  set -m
  "$@" </dev/null >>"$log" 2>&1 &
  child=$!
  set +m
  local begun=$SECONDS
  while kill -0 "$child" 2>/dev/null; do
    progress $((SECONDS - begun))
    sleep 0.2
  done
  local status=0
  wait "$child" || status=$?
  child=
  return $status
}

# progress SECONDS – what the living line shows while `run` waits; the long step has its own
plain_progress() { [ -z "$live" ] || [ "$1" -lt 1 ] || draw "  … $name  $1 s"; }
progress() { plain_progress "$1"; }

# step NAME COMMAND…
step() {
  name=$1
  shift
  local begun=$SECONDS status=0
  run "$@" || status=$?
  [ $status -eq 0 ] || { printf '%s' "$line" && return $status; }
  printf '%s  ✓ %s  %s s\n' "$line" "$name" $((SECONDS - begun))
}

# ------------------------------------------------------------------------------------------------ what the machine has

# The commands that the set-up is made of: a system without one, or a PATH that leads nowhere, is named as what it is.
check_commands() {
  local command lacking=
  for command in awk cat cmp cp df grep mkdir mv rm sed sleep tail tar touch tr uname; do
    command -v "$command" >/dev/null 2>&1 || lacking="$lacking $command"
  done
  [ -z "$lacking" ] || die "commands of the system are needed that PATH does not lead to:$lacking" "PATH is $PATH" \
    "With /usr/bin and /bin in it: PATH=\"/usr/bin:/bin:\$PATH\" $0"
}

# The first Python that runs and fits; one named in $PYTHON is the only candidate.
find_python() {
  local candidate seen='' version
  if [ -n "${PYTHON:-}" ]; then set -- "$PYTHON"; else set -- python3 python3.13 python3.12 python3.11 python; fi
  for candidate in "$@"; do
    # Shims of version managers exist and do not run: only running tells.
    version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    case $version in
      3.11 | 3.12 | 3.13) ;;
      *) seen="$seen $candidate is $version;" && continue ;;
    esac
    if ! "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
      die "$candidate ($version) comes without its venv module." "On Debian and Ubuntu: sudo apt install python$version-venv"
    fi
    python=$candidate python_version=$version
    return
  done
  if [ -n "${PYTHON:-}" ] && [ -z "$seen" ]; then
    die "PYTHON names $PYTHON, and that does not run." "Name one that does, PYTHON=/path/to/python3.12 $0, or none."
  fi
  die "Python 3.11, 3.12 or 3.13 is needed, and none was found.${seen:+ (Found:${seen%;}.)}" \
    "Install one (Debian 12, Ubuntu 24.04: sudo apt install python3 python3-venv; macOS: brew install python@3.13)," \
    "or name it: PYTHON=/path/to/python3.12 $0"
}

# Running tells: a compiler without its library, or the stub of macOS, is there and does not work.
# shellcheck disable=SC2086 # $CC and $CXX may carry options
check_compiler() {
  local c cxx both=
  for c in "${CC:-cc}" gcc clang; do
    printf 'int main(void) { return 0; }\n' | $c -x c -o build/compiled - >/dev/null 2>&1 || continue
    for cxx in "${CXX:-c++}" g++ clang++; do
      printf '#include <thread>\nint main() { return 0; }\n' | $cxx -x c++ -std=c++17 -o build/compiled - >/dev/null 2>&1 &&
        both=1 && break 2
    done
  done
  rm -f build/compiled
  [ -n "$both" ] || die "a C and C++ compiler is needed to compile llama.cpp, and none works here." \
    "Debian, Ubuntu: sudo apt install build-essential   Fedora: sudo dnf install gcc-c++   macOS: xcode-select --install"
}

free_megabytes() { df -Pk . | awk 'NR == 2 { print int($4 / 1024) }'; }

check_disk() { # GIGABYTES
  local free
  free=$(free_megabytes)
  [ "$free" -ge $(($1 * 1024)) ] || die "$1 GB of free disk are needed here, there are $((free / 1024)).$((free % 1024 * 10 / 1024)) GB." \
    "Make room on the disk of $PWD, then start again."
}

# What llama.cpp is compiled for, and why where that may surprise. A person's own CMAKE_ARGS win.
choose_target() {
  cuda='' why=''
  if [ -n "${CMAKE_ARGS:-}" ]; then
    target='your CMAKE_ARGS' why=$CMAKE_ARGS
  elif [ "$(uname -s)" = Darwin ] && [ "$(uname -m)" = arm64 ]; then
    target='Apple Metal'
    export CMAKE_ARGS=-DGGML_METAL=on
  elif [ -n "${ZHANGGUI_CPU:-}" ]; then
    target='the processor' why='ZHANGGUI_CPU is set'
  elif ! command -v nvcc >/dev/null 2>&1; then
    target='the processor'
  elif ! nvidia-smi -L >/dev/null 2>&1; then
    target='the processor' why='nvcc is here, but no NVIDIA driver answers (nvidia-smi)'
  else
    cuda=1
    target=NVIDIA why='nvcc and a driver are here'
    export CMAKE_ARGS=-DGGML_CUDA=on
  fi
  # pip keeps a compiled wheel without asking what it was compiled for: only the plain one goes into the common cache.
  [ -z "${CMAKE_ARGS:-}" ] || export PIP_CACHE_DIR="$PWD/build/pip/$(printf '%s' "$CMAKE_ARGS" | cksum | tr ' ' '-')"
}

# ------------------------------------------------------------------------------------------------ the environment

# holds FILE LOCK – FILE (ready, ready-check) says that LOCK is installed, and nothing of it is gone
holds() {
  [ -x .venv/bin/python ] && [ -f ".venv/$1" ] && cmp -s "$2" ".venv/$1" 2>/dev/null || return 1
  local entry
  while read -r entry; do
    [ -e "$entry" ] || return 1
  done <".venv/$1-holds"
}

# whole FILE LOCK – writes what `holds` reads
whole() {
  printf '%s\n' .venv/lib/python*/site-packages/* | grep -vE '/(__pycache__$|pip)' >".venv/$1-holds"
  cp "$2" ".venv/$1"
}

# What would stop the start anyhow is said before minutes are spent: `run`'s own sentences.
before() { # ARGUMENTS OF run
  local said code=0
  said=$("$python" -B -m scripts.before "$@" 2>&1) || code=$?
  [ $code -eq 0 ] || die "$said"
}

need() { # run|check ARGUMENTS OF run
  holds ready requirements.txt && { [ "$1" = run ] || holds ready-check requirements-dev.txt; } && return
  check_commands
  mkdir -p build 2>/dev/null && touch "$log" 2>/dev/null || die "this folder cannot be written: $PWD" \
    "Copy it to a place of your own and start it there."
  local other
  if ! mkdir build/setup.lock 2>/dev/null && other=$(cat build/setup.lock/pid 2>/dev/null) && kill -0 "$other" 2>/dev/null; then
    die "another set-up is running in this folder (process $other)." "Wait for it, or end it, then start again."
  fi
  rm -rf build/tmp
  mkdir -p build/setup.lock build/tmp
  echo $$ >build/setup.lock/pid
  trap cleanup EXIT
  : >"$log"
  # pip unpacks in the folder of temporary files, which may be small; and it must find nothing of a person's own settings
  # that would put packages elsewhere.
  local temporary=${TMPDIR:-}
  export TMPDIR=$PWD/build/tmp PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0
  unset PIP_TARGET PIP_PREFIX PYTHONPATH PYTHONHOME
  holds ready requirements.txt || install "$@"
  if [ "$1" = check ]; then
    rm -f .venv/ready-check
    step 'packages of the checks' pip install --require-hashes -r requirements-dev.txt || failed
    whole ready-check requirements-dev.txt
  fi
  cleanup
  trap - EXIT
  # What is started next has its temporary files where they always were: this folder is gone.
  if [ -n "$temporary" ]; then export TMPDIR=$temporary; else unset TMPDIR; fi
}

# The lock last: who finds none may take the folder for his own.
cleanup() { rm -rf build/tmp build/setup.lock; }

pip() { .venv/bin/python -m pip "$@"; }

install() { # run|check ARGUMENTS OF run
  find_python
  [ "$1" = check ] || before "${@:2}"
  check_disk 2
  check_compiler
  choose_target
  if holds tools requirements-build.txt; then
    say '  goes on with the environment in .venv'
  else
    if [ -e .venv ]; then
      say '  the environment in .venv is incomplete or out of date: it is made anew'
      rm -rf .venv
    fi
    step "environment (.venv, Python $python_version)" "$python" -m venv .venv || failed
    step tools pip install --require-hashes -r requirements-build.txt || failed
    whole tools requirements-build.txt
  fi
  make_llama_wheel
  # From here on an interruption leaves half a package: then all is made anew, but the wheel.
  rm -f .venv/tools
  step 'llama.cpp in its place' pip install --no-deps --no-index "$llama"/*.whl || failed
  step packages pip install --require-hashes -r requirements.txt || failed
  rm -rf "$llama"
  whole ready requirements.txt
}

# ------------------------------------------------------------------------------------------------ llama.cpp

# Leaves llama-cpp-python's wheel in build/llama.
make_llama_wheel() {
  mkdir -p "$llama"
  rm -f "$llama"/*.whl
  awk '/^llama-cpp-python==/ { on = 1 } on { print } on && !/\\$/ { exit }' requirements.txt >"$llama/lock.txt"
  local locked
  locked=$(sed -n 's/^llama-cpp-python==\([^ ]*\).*/\1/p' "$llama/lock.txt")
  if [ -n "$(pip cache list "llama_cpp_python-$locked-*" --format=abspath 2>>"$log")" ]; then
    # Taken as pip finds it; should pip compile all the same, the line will show it.
    compile 'llama.cpp, compiled before' || compile_failed
    return
  fi
  say "  llama.cpp is compiled now for $target, once: 5 to 8 minutes on two cores, less on more."
  [ -z "$why" ] || say "  ($why)"
  # Sources at a place that stays: so that the compiler goes on after an interruption, where pip alone would begin again.
  if [ ! -f "$llama/source/CMakeLists.txt" ] || [ "$(cat "$llama/for" 2>/dev/null)" != "$locked $target $why" ]; then
    rm -rf "$llama/source" "$llama/objects" "$llama/unpacked" "$llama/steps"
    step "llama-cpp-python $locked (source, 77 MB)" pip download --no-deps --no-build-isolation --no-binary :all: \
      --require-hashes -r "$llama/lock.txt" -d "$llama" || failed
    mkdir -p "$llama/unpacked"
    step unpacking tar xf "$llama"/llama_cpp_python-*.tar.gz -C "$llama/unpacked" --strip-components 1 || failed
    mv "$llama/unpacked" "$llama/source"
    printf '%s\n' "$locked $target $why" >"$llama/for"
  fi
  export SKBUILD_CMAKE_SOURCE_DIR=$PWD/$llama/source SKBUILD_BUILD_DIR=$PWD/$llama/objects
  compile 'compiling llama.cpp' || compile_failed
  unset SKBUILD_CMAKE_SOURCE_DIR SKBUILD_BUILD_DIR
}

llama_wheel() { pip wheel -v --no-deps --no-build-isolation --require-hashes -r "$llama/lock.txt" -w "$llama"; }

compile() { # NAME
  first='' told=-1
  progress() { compile_progress "$1"; }
  local status=0
  step "$1" llama_wheel || status=$?
  progress() { plain_progress "$1"; }
  return $status
}

# Ninja says «[12/345] …». A compile that goes on counts only what is left, so the whole is kept in a file.
compile_progress() { # SECONDS
  local count done_ all whole percent left rest=''
  count=$(tail -c 20000 "$log" | tr '\r' '\n' | sed -n 's/^ *\[\([0-9]*\/[0-9]*\)\] .*/\1/p' | tail -n 1)
  if [ -z "$count" ]; then
    plain_progress "$1"
    return
  fi
  done_=${count%/*} all=${count#*/}
  [ -n "$first" ] || first="$done_ $1"
  whole=$(cat "$llama/steps" 2>/dev/null || echo "$all")
  [ -f "$llama/steps" ] || echo "$all" >"$llama/steps"
  percent=$(((whole - all + done_) * 100 / whole))
  if [ "$done_" -gt $((${first% *} + 9)) ]; then
    left=$((($1 - ${first#* }) * (all - done_) / (done_ - ${first% *})))
    [ "$left" -eq 0 ] || rest=", about $(((left + 59) / 60)) min left"
  fi
  if [ -n "$live" ]; then
    draw "  … $name  $percent %, $(($1 / 60)):$(printf %02d $(($1 % 60)))$rest"
  elif [ $((percent / 10)) -gt $((told / 10)) ] || [ "$told" -lt 0 ]; then
    told=$percent
    say "  … $name  $percent %$rest"
  fi
}

compile_failed() {
  no_room_or_network
  if [ -n "$cuda" ]; then
    die 'compiling llama.cpp for NVIDIA failed; the reason stands at the end of build/setup.log.' \
      "Go on without the graphics card: ZHANGGUI_CPU=1 $0"
  fi
  if tail -n 200 "$log" | grep -qiE 'killed signal|signal: killed|out of memory'; then
    die 'compiling llama.cpp ran out of memory.' "Close other programs or add swap, then: CMAKE_BUILD_PARALLEL_LEVEL=1 $0"
  fi
  tail -n 300 "$log" | grep -E '(^|[^a-z])(error|Error):' | tail -n 3 >&2 || true
  die 'compiling llama.cpp failed; all of it is in build/setup.log.' 'Start again after mending it: it goes on where it stopped.'
}

# ------------------------------------------------------------------------------------------------ what may fail

no_room_or_network() {
  # On a full disk the log, too, breaks off.
  if [ "$(free_megabytes)" -lt 20 ] || tail -n 200 "$log" | grep -q 'No space left on device'; then
    die "the disk of $PWD is full." 'Make room, 2 GB at best, and start again: it goes on.'
  fi
  if tail -n 200 "$log" | grep -qE 'DO NOT MATCH THE HASHES'; then
    die 'a downloaded package is not the one that this project was made with; nothing of it was installed.' \
      'Start again; if it stays so, look at what serves your packages (pip config list). Details: build/setup.log'
  fi
  if tail -n 200 "$log" | grep -qE 'No matching distribution|Could not find a version|Connection|Temporary failure|timed out|ReadTimeout'; then
    die 'packages could not be downloaded; the last lines of build/setup.log say from where.' \
      'Check the network or the mirror (pip config list), then start again: it goes on.'
  fi
}

failed() {
  no_room_or_network
  tail -n 3 "$log" >&2
  die "«$name» failed; all of it is in build/setup.log." 'Start again; it goes on where it stopped.'
}
