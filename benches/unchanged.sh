#!/usr/bin/env bash
# Measures a load, the same load again, and a load with 1 % of the rows changed, against a site whose tasks take no
# time; each of the last two beside a `check` of the same file. Time, peak memory, bytes written, size of the ledger.
# usage: unchanged.sh BINARY INPUT.csv (customers that generate-samples made)
set -euo pipefail
binary=$(realpath "$1") input=$(realpath "$2")
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'kill "${site:-}" 2> /dev/null || true; rm -rf "$work"' EXIT
cd "$work"
export CSM_LOADER_EMAIL=bench@example.com CSM_LOADER_API_TOKEN=none

"$binary" sandbox --listen 127.0.0.1:0 --state-dir site --seed "$root/samples/site.toml" \
    --set task_micros=0 --set item_micros=0 > served &
site=$!
until grep -q '^serving' served; do sleep 0.1; done
read -r _ url _ _ cloud < served
cat > site.toml <<END
[site]
base_url = "$url"
cloud_id = "${cloud%%)*}"
[state]
dir = "state"
END
stage() {
    printf '[[stage]]\nmapping = "%s"\ninput = "%s"\nresults = "%s"\n' "$root/mappings/$1" "$2" "$3"
}
{
    cat site.toml
    stage products.toml "$root/samples/products.csv" products-results.csv
    stage organizations.toml "$root/samples/organizations.parquet" organizations-results.csv
} > before.toml
{
    cat site.toml
    stage customers.toml customers.csv results.csv
} > job.toml

# exit code 4: some rows do not load, as planted
"$binary" load before.toml --quiet > /dev/null || [ $? -eq 4 ]
measure() {
    local label=$1
    shift
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
    measure "$1" "$binary" load job.toml --quiet --requests-per-second 100000
}
ln -s "$input" customers.csv
load 'first load'
for _ in 1 2 3; do
    check
    load 'same again'
done
rm customers.csv
# rows without quoted cells, so that no record is cut
awk 'NR > 1 && !/"/ && NR % 100 == 7 { sub(/,[^,]*$/, ",changed tonight") } { print }' "$input" > customers.csv
load '1 % changed'
