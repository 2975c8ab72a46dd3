# What the tests of the SDK share; sourced. `scratch` is an empty folder, removed at the end.
set -uo pipefail
umask 022 # the loader takes no file that others may write

failures=0
fail() {
  printf 'FAIL %s\n' "$*"
  failures=$((failures + 1))
}
# Leaves with what has been found so far: `finish` is the last line of every test.
finish() {
  printf '%d failures\n' "$failures"
  ((failures == 0))
  exit
}
skip() {
  printf 'skipped: %s\n' "$*"
  exit 77
}
# must WHAT COMMAND...: the command's output is shown when it fails, and the test ends.
must() {
  local what=$1
  shift
  "$@" >"$scratch/output" 2>&1 && return
  cat "$scratch/output"
  fail "$what"
  finish
}

scratch=$(mktemp -d) || exit 1
# /tmp may be writable by all: the loader takes files from a folder of this user only.
chmod 755 "$scratch"
trap 'rm -rf "$scratch"' EXIT

# The cache of compilations stays that of the user.
export CCACHE_DIR=${CCACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/ccache}

# The reference rounds every product: a compiler that fuses them (aarch64) would flip codes here and there.
export CFLAGS=-ffp-contract=off CXXFLAGS=-ffp-contract=off

# No folder of the user and no variable of the caller takes part.
unset DS4_BACKEND_PATH DS4_BACKEND_PATH_ONLY DS4_MODEL CMAKE_PREFIX_PATH
export XDG_DATA_HOME=$scratch/data XDG_CACHE_HOME=$scratch/cache HOME=$scratch
mkdir -p "$XDG_DATA_HOME" "$XDG_CACHE_HOME"

# install_into BINARY_DIR PREFIX: the tree of a build in an empty prefix.
install_into() {
  must "cmake --install" cmake --install "$1" --prefix "$2"
}

# check_file FILE: what a backend exports, needs and asks of the system's loader.
check_file() {
  local file=$1 name=${1##*/} symbols needed all undefined dynamic segments sections
  # Kept first: a grep that stops early would end what it reads from.
  all=$(nm -D "$file") undefined=$(nm -D --undefined-only "$file") dynamic=$(readelf -dW "$file")
  segments=$(readelf -lW "$file") sections=$(readelf -SW "$file")
  symbols=$(nm -D --defined-only "$file" | awk '$2 != "A" { print $3 }')
  [ "${symbols%%@*}" = ds4_backend_entry_0 ] && [ "$(wc -l <<<"$symbols")" = 1 ] ||
    fail "$name exports something else than its entry: $symbols"
  grep -q ' u ' <<<"$all" && fail "$name has unique symbols: it would stay mapped"
  grep -q ' ds4_' <<<"$undefined" && fail "$name needs a symbol of ours"
  while read -r needed; do
    case $needed in
      libc.so.6 | libm.so.6 | libgcc_s.so.1 | ld-linux-*) ;;
      libstdc++.so.6 | libc++.so.1 | libc++abi.so.1 | libunwind.so.1) ;;
      libasan.so.* | libubsan.so.* | libtsan.so.*) ;; # a build with a sanitizer
      *) fail "$name needs $needed, which is not on the list" ;;
    esac
  done < <(readelf -dW "$file" | sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p')
  grep -qE 'BIND_NOW|FLAGS_1.*NOW' <<<"$dynamic" || fail "$name is bound lazily"
  grep -qE 'TEXTREL|RPATH|RUNPATH|SONAME' <<<"$dynamic" &&
    fail "$name has text relocations, a search path or a soname"
  grep -q GNU_RELRO <<<"$segments" || fail "$name has no RELRO"
  grep -q 'GNU_STACK.*RWE' <<<"$segments" && fail "$name asks for an executable stack"
  grep -q '\.note\.ds4\.backend' <<<"$sections" || fail "$name has no note"
}

# greedy PROGRAM MODEL BACKEND [OPTIONS]: what the model says without chance: the number of tokens and the text.
greedy() {
  local program=$1 model=$2 backend=$3
  shift 3
  greedy_at "$program" "$model" --backend "$backend" "$@"
}

# The same with options that say where it runs.
greedy_at() {
  local program=$1 model=$2
  shift 2
  "$program" -m "$model" -p 'Tell me where the river goes.' -n 48 --temp 0 \
    --nothink --json "$@" 2>"$scratch/errors" |
    grep -oE '"generated_tokens":[1-9][0-9]*,"text":"([^"\\]|\\.)+"'
}
