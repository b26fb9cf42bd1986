#!/usr/bin/env bash
# Loads customers into the site that was seen live (--policy live-2026), its clock quickened, by single calls alone and by
# whichever route is faster, in turns; prints both times as they would be on the site's own clock. By bulk requests alone it
# would take 4.8 s a row, which is calculated: there is nothing to learn from waiting for it.
#
# All that is a matter of time is scaled alike: the site quickens its tasks, its answers (300 ms) and its limit of 50 requests
# a second by itself; the loader's pace is set to SCALE times 50. Calls in flight (8) stay: each is SCALE times as short. What
# the loader takes for granted before it has seen anything (how slow a site may be, when to look again) is not scaled, so
# that it is as careful for the first SCALE times as long: measured so, auto looks worse than it is. Neither are the
# processor's and the disk's times: with SCALE so large that calls wait for these, both routes look slow.
# usage: route.sh BINARY [SCALE] [ROWS]
set -euo pipefail
binary=$(realpath "$1") scale=${2:-20} rows=${3:-16000}
work=$(mktemp -d)
trap 'kill "${site:-}" 2> /dev/null || true; rm -rf "$work"' EXIT
cd "$work"
export CSM_LOADER_EMAIL=bench@example.com CSM_LOADER_API_TOKEN=none
{ echo id,email,name; seq "$rows" | sed 's/.*/k&,p&@example.com,Person &/'; } > people.csv
cat > people.toml <<TOML
entity = "customer"
operation = "create"
key = "id"
key_detail = "External ID"
[fields]
email = "email"
display_name = "name"
TOML
printf '[[customer_detail]]\nname = "External ID"\ntype = "TEXT"\n' > site.toml
load() { # route; prints seconds on the site's clock
    "$binary" sandbox --listen 127.0.0.1:0 --policy live-2026 --time-scale "$scale" --seed site.toml --state-dir "site-$1" > served 2> /dev/null &
    site=$!
    until grep -q '^serving' served; do sleep 0.1; done
    read -r _ url _ _ cloud < served
    cat > job.toml <<TOML
[site]
base_url = "$url"
cloud_id = "${cloud%)*}"
[limits]
requests_per_second = $((50 * scale))
platform_limits = false
route = "$1"
[state]
dir = "state-$1"
[[stage]]
mapping = "people.toml"
input = "people.csv"
results = "$1.csv"
TOML
    "$binary" load job.toml --log json > "$1.txt" 2> "$1.log"
    kill "$site"
    wait "$site" || true
    # from the first record sent to the last: reading and writing files is not the site's time
    python3 - "$1" "$scale" <<'PY'
import json, sys, datetime
route, scale = sys.argv[1], int(sys.argv[2])
at = {}
for line in open(route + ".log"):
    event = json.loads(line)
    if event["event"] == "phase_started":
        at[event["phase"]] = datetime.datetime.fromisoformat(event["ts"])
    if event["event"] == "notice":
        print("  " + event["message"], file=sys.stderr)
print((at["writing"] - at["sending"]).total_seconds() * scale)
PY
    sed -nE 's/^(  [0-9,]+ rows? by .*)/\1/p; s/^(  (loaded|failed|unconfirmed) .*)/\1/p' "$1.txt" >&2
}
single=$(load single)
auto=$(load auto)
awk -v rows="$rows" -v scale="$scale" -v single="$single" -v auto="$auto" 'BEGIN {
    bulk = 4.8 * rows
    printf "%d rows, clock × %d: single %.0f s, auto %.0f s, bulk alone %.0f s; auto is %.3f × single and 1/%.0f of bulk\n",
        rows, scale, single, auto, bulk, auto / single, bulk / auto }'
