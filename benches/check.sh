#!/usr/bin/env bash
# Measures `check`: wall time, rows a second and peak memory, the median of five runs.
# usage: check.sh BINARY INPUT.csv MAPPING.toml
set -euo pipefail
binary=$1 input=$2 mapping=$3
runs=${RUNS:-5}
state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
if ! [ -x /usr/bin/time ]; then
    echo "GNU time is missing: install the package time" >&2
    exit 1
fi
for _ in $(seq "$runs"); do
    # exit code 4: some rows are rejected, as planted
    /usr/bin/time -o "$state/time" -f '%e %M' "$binary" check --quiet --mapping "$mapping" --input "$input" \
        --state-dir "$state/state" --results "$state/rejected.csv" > "$state/summary" || [ $? -eq 4 ]
    rows=$(sed -nE '1s/^[a-z]+: ([0-9,]+) rows? .*/\1/p' "$state/summary" | tr -d ,)
    tail -n 1 "$state/time" | awk -v rows="$rows" '{ printf "%s %.2f %d %.0f\n", rows, $1, $2 / 1024, rows / $1 }'
done | sort -k2 -n | awk '
    { rows[NR] = $1; seconds[NR] = $2; memory[NR] = $3; rate[NR] = $4; if ($3 > peak) peak = $3 }
    END {
        middle = int((NR + 1) / 2)
        printf "check: %d rows, median of %d runs: %.2f s, %d rows/s, peak memory %d MB\n",
            rows[middle], NR, seconds[middle], rate[middle], peak
    }'
