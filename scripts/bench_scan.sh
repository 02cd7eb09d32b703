#!/usr/bin/env bash
# The speed of `faultline scan` beside grep's and rg's on the same file and phrases, in the same run.
# usage: scripts/bench_scan.sh [FAULTLINE] [MEGABYTES]
set -euo pipefail
cd "$(dirname "$0")/.."
faultline=${1:-target/release/faultline}
megabytes=${2:-1000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

table() { sed -n "/const $1: /,/^];/p" crates/core/src/recognise/literals.rs | sed -n 's/^    "\(.*\)",$/\1/p'; }
{ table DECIDING; table DECIDING_UNFILTERED; table CONTEXT; } >"$work/phrases"
table PIECES >"$work/pieces"

# Lines of a service that does well, with one failed call in so many lines.
make_log() { # lines-per-failure megabytes
  awk -v every="$1" -v most="$(($2 * 1000000))" '
    FNR == NR { if (/^=== /) n++; else if (!/^# /) failures[n] = failures[n] $0 "\n"; next }
    { fine[m++] = $0 }
    END {
      for (i = 1; bytes < most; i++) {
        text = i % every ? fine[i % m] "\n" : failures[1 + int(i / every) % n]
        printf "%s", text; bytes += length(text)
      }
    }' crates/core/tests/recogniser/other_sdks.txt - <<'FINE'
2026-11-22 12:36:01,833 INFO [chat.api] handled order 81723 for session in 41ms status=200 path=/api/v1/cart/4711
{"level":30,"time":1795350893020,"pid":8771,"hostname":"app-1","modelId":"anthropic.claude-3-5-sonnet-20240620-v1:0","op":"converse","msg":"done","inputTokens":812}
10.0.1.7 - - [22/Nov/2026:12:36:01 +0000] "GET /api/item/81723 HTTP/1.1" 200 4711 "-" "Mozilla/5.0 (X11; Linux x86_64)"
2026-11-22T12:36:01.833512Z  INFO chat::server: user session order cart elapsed=41ms
2026-11-22 12:36:02,004 WARN [db.pool] slow query 812ms user session order cart payment item service request handler queue
FINE
}

# The best of three, in megabytes a second.
speed() { # megabytes command…
  local size=$1 best=0 begin end rate; shift
  for _ in 1 2 3; do
    begin=$(date +%s%N); { "$@" 2>/dev/null || true; } | cat >/dev/null; end=$(date +%s%N) # grep stops at its first hit when it writes to /dev/null
    rate=$((size * 1000000000 / (end - begin))); ((rate > best)) && best=$rate
  done
  echo "$best"
}
row() { printf '%-58s %8s MB/s' "$1" "$2"; [ -n "${3:-}" ] && awk -v a="$2" -v b="$3" 'BEGIN { printf "  (scan is %.2f times that)", b / a }'; echo; }

make_log 1000 "$megabytes" >"$work/few.log"
make_log 10 $((megabytes / 5)) >"$work/tenth.log"
make_log 1 $((megabytes / 10)) >"$work/all.log"
size() { echo $(($(stat -c %s "$1") / 1000000)); }

few=$(size "$work/few.log")
cat "$work"/*.log >/dev/null
scan=$(speed "$few" "$faultline" scan --assume bedrock --format json "$work/few.log")
row "faultline scan, one failure in 1000 lines" "$scan"
if command -v rg >/dev/null; then
  row "rg -c --no-mmap, the same phrases" "$(speed "$few" rg -c --no-mmap -F -f "$work/phrases" "$work/few.log")" "$scan"
  row "rg -c --no-mmap, the pieces that are searched first" "$(speed "$few" rg -c --no-mmap -F -f "$work/pieces" "$work/few.log")" "$scan"
fi
row "grep -c -F, the same phrases" "$(speed "$few" env LC_ALL=C grep -c -F -f "$work/phrases" "$work/few.log")" "$scan"
row "faultline scan, two files at once" "$(speed $((few * 2)) "$faultline" scan --assume bedrock --format json "$work/few.log" "$work/few.log")" "$scan"
row "faultline scan, one failure in 10 lines" "$(speed "$(size "$work/tenth.log")" "$faultline" scan --assume bedrock --format json "$work/tenth.log")"
row "faultline scan, nothing but failures" "$(speed "$(size "$work/all.log")" "$faultline" scan --assume bedrock --format json "$work/all.log")"
