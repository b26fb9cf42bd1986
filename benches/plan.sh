#!/usr/bin/env bash
# Compares the duration that `plan` expects with the one that `load` then takes, on three kinds of site and by two routes. A
# first load tells how long tasks and calls take; the second, of other rows, is planned and measured: from the first request to
# the last end, and as a whole, with the reading of its input. Prints a table.
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
printf 'entity = "customer"\nkey = "email"\n[fields]\nemail = "email"\ndisplay_name = "name"\n' > bulk.toml
# only records that can be found again are written by single calls
{ echo 'key_detail = "Key"'; cat bulk.toml; } > auto.toml
printf '[[customer_detail]]\nname = "Key"\ntype = "TEXT"\n' > site.toml
# as durations are written: 0.4 s, 42 s, 1 m 05 s, 2 h 05 m
seconds() { awk '{ s = 0; for (i = 1; i < NF; i += 2) s += $i * ($(i + 1) == "h" ? 3600 : $(i + 1) == "m" ? 60 : 1); print s }'; }
compare() { # name, route, first rows, rows, [limits], [contract] and [sandbox] lines
    local name=$1 route=$2 first=$3 then=$4 way='by bulk requests'
    [ "$route" = bulk ] || way='with route = "auto"'
    people 1 "$first" > first.csv
    people 1000001 $((1000000 + then)) > then.csv
    for input in first then; do
        printf '[site]\ntarget = "sandbox"\n[state]\ndir = "state-%s-%s"\n[limits]\nroute = "%s"\n%s\n[contract]\n%s\n[sandbox]\nseed = "site.toml"\n%s\n[[stage]]\nmapping = "%s.toml"\ninput = "%s.csv"\n' \
            "$name" "$route" "$route" "$5" "$6" "$7" "$route" "$input" > "$input.toml"
    done
    "$binary" load first.toml --quiet > /dev/null || [ $? -eq 4 ]
    planned=$("$binary" plan then.toml --quiet | tee plan.txt | sed -n "s/^ *$way: about \([^,]*\),.*/\1/p" | seconds)
    whole=$({ "$binary" load then.toml --quiet || [ $? -eq 4 ]; } | sed -n 's/^customer: .* rows in \([^,]*\),.*/\1/p' | seconds)
    sent=$(python3 - "state-$name-$route" << 'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1] + "/ledger.sqlite")
(part,) = db.execute("SELECT max(part) FROM stage").fetchone()
times = db.execute("SELECT sent_at FROM batch WHERE part = ?1 UNION SELECT settled_at FROM batch WHERE part = ?1"
                   " UNION SELECT finished_at FROM row WHERE part = ?1", (part,)).fetchall()
times = [at for (at,) in times if at is not None]
print((max(times) - min(times)) / 1000)
END
    )
    awk -v name="$name" -v route="$route" -v rows="$then" -v planned="$planned" -v sent="$sent" -v whole="$whole" \
        'BEGIN { printf "%-12s %-6s %6d %10.1f %10.1f %+7.0f %% %10.1f\n", name, route, rows, planned, sent, 100 * (planned / sent - 1), whole }'
    [ -z "${SHOW:-}" ] || cat plan.txt
}
printf '%-12s %-6s %6s %10s %10s %9s %10s\n' site route rows 'plan, s' 'sent, s' error 'whole, s'
ten=$'policy = "documented"\nset = { max_tasks = 10, workers = 10, task_micros = 800000, single_call_ms = 100 }'
[ -n "${ONLY_AUTO:-}" ] || {
    compare documented bulk 2000 "$rows" '' '' 'policy = "documented"'
    compare ten-slots bulk 3000 "$rows" '' 'task_limit = 10' "$ten"
    compare live-2026 bulk 1000 2000 '' '' $'policy = "live-2026"\ntime_scale = 300'
}
compare documented auto 2000 "$rows" '' '' 'policy = "documented"'
compare ten-slots auto 3000 "$rows" '' 'task_limit = 10' "$ten"
# calls are quickened as much as tasks are: so is the pace
compare live-2026 auto 2000 8000 'requests_per_second = 1000' '' $'policy = "live-2026"\ntime_scale = 20'
