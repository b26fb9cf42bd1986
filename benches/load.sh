#!/usr/bin/env bash
# Measures loads against a site that costs nothing (benches/sink.rs): with the ledger on a disk, and with the ledger in
# memory (a tmpfs), where syncing is free: the difference is what durability costs. In turns, since machines drift.
# usage: load.sh BINARY SINK INPUT.csv [MILLISECONDS a bulk request takes]
set -euo pipefail
binary=$(realpath "$1") sink=$(realpath "$2") input=$(realpath "$3") delay=${4:-0}
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d) memory=$(mktemp -d -p /dev/shm)
trap 'kill "${site:-}" 2> /dev/null || true; rm -rf "$work" "$memory"' EXIT
cd "$work"
export CSM_LOADER_EMAIL=bench@example.com CSM_LOADER_API_TOKEN=none

"$sink" "$delay" > served &
site=$!
until grep -q '^serving' served; do sleep 0.1; done
read -r _ url < served
load() {
    local label=$1 state=$2
    cat > job.toml <<END
[site]
base_url = "$url"
cloud_id = "00000000-0000-4000-8000-000000000000"
[state]
dir = "$state"
[limits]
route = "bulk"
platform_limits = false
[[stage]]
mapping = "$root/mappings/customers.toml"
input = "$input"
results = "results.csv"
END
    # exit code 4: some rows are rejected, as planted
    /usr/bin/time -o time -f '%e %U %S %M %O' "$binary" load job.toml --quiet --requests-per-second 100000 --verify failed > summary ||
        [ $? -eq 4 ]
    rows=$(sed -nE '1s/^([0-9,]+) rows? .*/\1/p; 1s/^[a-z]+: ([0-9,]+) rows? .*/\1/p' summary | tr -d ,)
    tail -n 1 time | awk -v rows="$rows" -v label="$label" '{ printf "%s: %s rows, %.1f s (%.1f user, %.1f system), %d rows/s, peak %d MB, %d MB written\n",
        label, rows, $1, $2, $3, rows / $1, $4 / 1024, $5 / 2048 }'
    rm -r "$state"
}
for _ in $(seq "${RUNS:-3}"); do
    load 'ledger on disk' "$work/state"
    load 'ledger in memory' "$memory/state"
done
