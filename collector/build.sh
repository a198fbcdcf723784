#!/usr/bin/env bash
# Builds the gateway collector into .bin/, under the name that the manifest gives it (the lean one: .bin/sloengine-collector).
#   collector/build.sh [--if-possible] [MANIFEST]
# Cached: nothing happens while manifest, this script and Go version are those of the last build. First build: 2 to 6 minutes
# (about 450 modules from the Go module proxy); later ones reuse Go's caches.
# --if-possible: what can't be built is said and the exit code is 0; the demo then sends OTLP through the engine's own door.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
GO_MIN_MINOR=26  # the go directive of cmd/builder and of the components is 1.26
IF_POSSIBLE=
MANIFEST="$ROOT/collector/manifest.yaml"

usage() { sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

say() { printf 'collector: %s\n' "$*" >&2; }

# Ends the run for want of something: an error, or under --if-possible a notice.
give_up() {
  say "$1"
  if [ -x "$BIN" ]; then
    say "keeping the gateway that was built before: $BIN"
    [ -n "$IF_POSSIBLE" ] && exit 0
    exit 1
  fi
  if command -v otelcol-contrib >/dev/null; then
    say "otelcol-contrib is on PATH ($(command -v otelcol-contrib)): the demo runs collector/gateway.yaml with that"
  else
    say "the demo will send OTLP through the engine's own OTLP/HTTP door instead of a gateway"
  fi
  [ -n "$IF_POSSIBLE" ] && exit 0
  exit 1
}

parse_args() {
  while [ $# -gt 0 ]; do
    case $1 in
      --if-possible) IF_POSSIBLE=1 ;;
      -h | --help) usage; exit 0 ;;
      -*) usage >&2; exit 2 ;;
      *) MANIFEST=$(cd "$(dirname "$1")" 2>/dev/null && pwd)/$(basename "$1") ;;
    esac
    shift
  done
  [ -r "$MANIFEST" ] || { say "no such manifest: $MANIFEST"; exit 2; }
  local name
  name=$(sed -nE 's/^  name: *//p' "$MANIFEST")
  [ -n "$name" ] || { say "no dist name in $MANIFEST"; exit 2; }
  BIN="$ROOT/.bin/$name"
  STAMP="$BIN.stamp"
  LOG="$ROOT/.build/$name.log"
}

check_go() {
  command -v go >/dev/null || give_up "Go is not installed; building the gateway needs Go 1.$GO_MIN_MINOR or newer (https://go.dev/dl/)"
  local version minor
  version=$(go env GOVERSION)
  minor=$(sed -nE 's/^go1\.([0-9]+).*/\1/p' <<<"$version")
  [ "${minor:-0}" -ge "$GO_MIN_MINOR" ] || give_up "Go 1.$GO_MIN_MINOR or newer is needed, here is ${version:-unknown}"
}

fingerprint() { { cat "$MANIFEST" "${BASH_SOURCE[0]}"; go env GOVERSION GOOS GOARCH; } | sha256sum | cut -d' ' -f1; }

# run PHASE COUNT_PATTERN COMMAND…: runs the command into the log, with a line at least every five seconds.
run() {
  local phase=$1 pattern=$2 began=$SECONDS told=$SECONDS
  shift 2
  say "$phase…"
  "$@" >"$LOG" 2>&1 &
  CHILD=$!
  while kill -0 "$CHILD" 2>/dev/null; do
    sleep 0.5
    if [ $((SECONDS - told)) -ge 5 ]; then
      told=$SECONDS
      say "$phase: $((SECONDS - began)) s, $(grep -cE "$pattern" "$LOG" || true) $COUNTED"
    fi
  done
  if ! wait "$CHILD"; then
    CHILD=
    tail -n 15 "$LOG" >&2
    give_up "$phase failed after $((SECONDS - began)) s (full log: $LOG)"
  fi
  CHILD=
  say "$phase: done in $((SECONDS - began)) s"
}

build() {
  local builder output tags
  tags=$(sed -nE 's/^# BUILD_TAGS=([a-z0-9_,]+).*/\1/p' "$MANIFEST")
  builder=$(sed -nE 's/^# BUILDER_VERSION=(v[0-9.]+).*/\1/p' "$MANIFEST")
  output=$(sed -nE 's/^  output_path: *//p' "$MANIFEST")
  rm -rf "${ROOT:?}/$output"
  COUNTED='modules fetched'
  run 'sources and modules' '^go: downloading|Getting go modules' \
    go run "go.opentelemetry.io/collector/cmd/builder@$builder" --config="$MANIFEST" --skip-compilation
  cd "$ROOT/$output"
  run 'modules' '^go: downloading|"Path"' go mod download
  COUNTED='packages compiled (about 1070, full one 1880, when nothing is cached)'
  run 'compiling' '^[a-z0-9.]+/|^[a-z]' go build -v -tags "$tags" -trimpath -ldflags='-s -w' -o "$BIN.new" .
}

main() {
  parse_args "$@"
  cd "$ROOT"
  check_go
  mkdir -p .bin .build
  local want
  want=$(fingerprint)
  # Two makes at once: the second waits for the first, then finds its work done.
  if command -v flock >/dev/null; then exec 9>.build/lock; flock 9; fi
  if [ -x "$BIN" ] && [ "$(cat "$STAMP" 2>/dev/null)" = "$want" ]; then
    say "up to date: $BIN"
    return
  fi
  export CGO_ENABLED=0
  CHILD=
  trap '[ -n "$CHILD" ] && kill "$CHILD" 2>/dev/null; exit 130' INT TERM
  build
  "$BIN.new" --version >/dev/null
  mv "$BIN.new" "$BIN"
  echo "$want" >"$STAMP"
  say "built $BIN ($(du -m "$BIN" | cut -f1) MB) in $SECONDS s"
}

main "$@"
