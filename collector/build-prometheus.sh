#!/usr/bin/env bash
# Builds a Prometheus that speaks remote write 2 into .bin/prometheus, for tests only: Debian's is 2.42, which speaks version 1.
#   collector/build-prometheus.sh
# From the module versions of the full collector, whose Prometheus receiver is most of a Prometheus: what was compiled for the one is
# not compiled again for the other. So the full collector is built first (collector/build.sh collector/manifest-full.yaml).
# Without the web pages, which would need npm. Cached like the collector.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
MANIFEST="$ROOT/collector/manifest-full.yaml"
SOURCES="$ROOT/.build/collector-full"
BIN="$ROOT/.bin/prometheus"
MODULE=github.com/prometheus/prometheus

say() { printf 'prometheus: %s\n' "$*" >&2; }

command -v go >/dev/null || { say 'Go is not installed; see collector/build.sh'; exit 1; }
want=$({ cat "$MANIFEST" "${BASH_SOURCE[0]}"; go env GOVERSION GOOS GOARCH; } | sha256sum | cut -d' ' -f1)
if [ -x "$BIN" ] && [ "$(cat "$BIN.stamp" 2>/dev/null)" = "$want" ]; then
  say "up to date: $BIN"
  exit 0
fi
[ -r "$SOURCES/go.sum" ] || { say "no $SOURCES/go.sum: build the full collector anew (rm .bin/sloengine-collector-full.stamp; make collector-full)"; exit 1; }

# A copy: building must not change the collector's own go.mod.
rm -rf "$ROOT/.build/prometheus"
mkdir -p "$ROOT/.build/prometheus"
cp "$SOURCES/go.mod" "$SOURCES/go.sum" "$ROOT/.build/prometheus/"
cd "$ROOT/.build/prometheus"
tags=$(sed -nE 's/^# BUILD_TAGS=([a-z0-9_,]+).*/\1/p' "$MANIFEST")
# Module v0.314.0 is Prometheus 3.14.0.
version=$(go list -m -f '{{.Version}}' "$MODULE" | sed -E 's/^v0\.([0-9])([0-9]{2})\./\1.\2./; s/\.0([0-9])\./.\1./')
say "compiling $version…"
CGO_ENABLED=0 go build -mod=mod -tags "$tags" -trimpath -ldflags="-s -w -X github.com/prometheus/common/version.Version=$version" \
  -o "$BIN.new" "$MODULE/cmd/prometheus"
"$BIN.new" --version >/dev/null
mv "$BIN.new" "$BIN"
echo "$want" >"$BIN.stamp"
say "built $BIN in $SECONDS s"
