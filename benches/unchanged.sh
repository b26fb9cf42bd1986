#!/usr/bin/env bash
# Measures a load, the same load again, and a load with 1 % of the rows changed, against a site that costs nothing
# (benches/sink.rs); the second beside a `check` of the same file. Time, peak memory, bytes written, size of the ledger.
# usage: unchanged.sh BINARY SINK INPUT.csv (the example `sink`, and customers that generate-samples made)
set -euo pipefail
binary=$(realpath "$1") sink=$(realpath "$2") input=$(realpath "$3")
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'kill "${site:-}" 2> /dev/null || true; rm -rf "$work"' EXIT
cd "$work"
export CSM_LOADER_EMAIL=bench@example.com CSM_LOADER_API_TOKEN=none

"$sink" > served &
site=$!
until grep -q '^serving' served; do sleep 0.1; done
read -r _ url < served
cat > job.toml <<END
[site]
base_url = "$url"
cloud_id = "00000000-0000-4000-8000-000000000000"
[state]
dir = "state"
[limits]
route = "bulk"
platform_limits = false
[[stage]]
mapping = "$root/mappings/customers.toml"
input = "customers.csv"
results = "results.csv"
END

measure() {
    local label=$1
    shift
    # exit code 4: some rows are rejected, as planted
    /usr/bin/time -o time -f '%e s, %U s user, %S s system, peak %M KB, %O blocks of 512 bytes written' "$@" > summary ||
        [ $? -eq 4 ]
    printf '%s: %s; ledger %s bytes\n' "$label" "$(tail -n 1 time)" "$(cat state/ledger.sqlite* | wc -c)"
    sed -nE '1s/^/    /p; /^  (loaded|unchanged|rejected|failed) /s/^ */    /p' summary
}
check() {
    measure check "$binary" check --quiet --mapping "$root/mappings/customers.toml" --input customers.csv \
        --state-dir state --results rejected.csv
}
load() {
    measure "$1" "$binary" load job.toml --quiet --requests-per-second 100000 --verify failed
}
ln -s "$input" customers.csv
load 'first load'
for _ in $(seq "${RUNS:-3}"); do
    check
    load 'same again'
done
rm customers.csv
# rows without quoted cells, so that no record is cut
awk 'NR > 1 && !/"/ && NR % 100 == 7 { sub(/,[^,]*$/, ",changed tonight") } { print }' "$input" > customers.csv
load '1 % changed'
