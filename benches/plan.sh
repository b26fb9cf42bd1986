#!/usr/bin/env bash
# Compares the duration that `plan` expects with the one that `load` then takes, on three kinds of site. A first load tells how
# long tasks take; the second, of other rows, is planned and measured. Prints both, and by how much the plan was wrong.
# usage: plan.sh BINARY [ROWS]
set -euo pipefail
binary=$(realpath "$1") rows=${2:-5000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
people() { # first row, last row
    echo email,name
    seq "$1" "$2" | sed 's/.*/p&@example.com,Person &/'
}
printf 'entity = "customer"\nkey = "email"\n[fields]\nemail = "email"\ndisplay_name = "name"\n' > people.toml
# as `plan` writes durations: 0.4 s, 42 s, 1 m 05 s, 2 h 05 m
seconds() { awk '{ s = 0; for (i = 1; i < NF; i += 2) s += $i * ($(i + 1) == "h" ? 3600 : $(i + 1) == "m" ? 60 : 1); print s }'; }
compare() { # name, first rows, rows, [sandbox] lines
    local name=$1 first=$2 then=$3
    people 1 "$first" > first.csv
    people 1000001 $((1000000 + then)) > then.csv
    for input in first then; do
        printf '[site]\ntarget = "sandbox"\n[state]\ndir = "state-%s"\n[sandbox]\n%s\n[[stage]]\nmapping = "people.toml"\ninput = "%s.csv"\n' \
            "$name" "$4" "$input" > "$input.toml"
    done
    "$binary" load first.toml --quiet > /dev/null || [ $? -eq 4 ]
    planned=$("$binary" plan then.toml --quiet | sed -n 's/.*by bulk requests: about \([^,]*\),.*/\1/p' | seconds)
    "$binary" load then.toml --quiet --log json > /dev/null || [ $? -eq 4 ]
    took=$(python3 - "state-$name" << 'END'
import glob, sqlite3, sys
db = sqlite3.connect(glob.glob(sys.argv[1] + "/*.sqlite*")[0])
(part,) = db.execute("SELECT max(part) FROM stage").fetchone()
(took,) = db.execute("SELECT max(settled_at) - min(sent_at) FROM batch WHERE part = ?", (part,)).fetchone()
print(took / 1000)
END
    )
    awk -v name="$name" -v planned="$planned" -v took="$took" \
        'BEGIN { printf "%-14s planned %7.1f s, took %7.1f s: %+.0f %%\n", name, planned, took, 100 * (planned / took - 1) }'
}
compare documented 2000 "$rows" 'policy = "documented"'
compare slow-tasks 2000 "$rows" $'policy = "documented"\nset = { task_micros = 800000 }'
compare ten-slots 3000 "$rows" $'policy = "documented"\nset = { max_tasks = 10, workers = 10, task_micros = 800000 }'
compare live-2026 1000 2000 $'policy = "live-2026"\ntime_scale = 300\nset = { failed_applied = 0, task_timeout_ms = 1000000000 }'
