#!/usr/bin/env python3
"""Measures what one could use instead of the loader, beside it, with the same input and against the same site that costs
nothing (benches/tools/sink.rs): a script with csv and httpx, dlt, singer-sdk, and faucet-cli. Their versions are pinned in
benches/peers/; each gets a virtual environment of its own in target/peers/, faucet-cli is built there (a quarter of an hour).
The peers do less than the loader: none validates, finds duplicates, or can say of a row what became of it after a crash.

usage: peers.py --loader BINARY --tools FOLDER [--rows N] [--runs N] [--delay MILLISECONDS] [--only NAME,...]
"""

import argparse
import filecmp
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from measure import ROOT, Sink, customers, head, median, peak, run, short, table

HERE = ROOT / "benches" / "peers"
FAUCET = ["faucet-cli", "--version", "1.17.0", "--no-default-features", "--features", "source-csv,sink-http"]


def environment_of(name, home):
    """The interpreter of a virtual environment with exactly what is pinned; made anew when that changes."""
    pinned, folder = HERE / f"{name}.txt", home / name
    python = folder / "bin" / "python"
    made = folder / "pinned.txt"
    if not (made.exists() and filecmp.cmp(pinned, made, shallow=False)):
        print(f"installing {name} …", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "--quiet", "install", "--requirement", pinned], check=True)
        shutil.copy(pinned, made)
    return python


def faucet(home):
    """The program, built unless it is there; `None` where it cannot be built."""
    program = home / "faucet" / "bin" / "faucet"
    if program.exists():
        return program
    print("building faucet-cli, which takes a quarter of an hour …", file=sys.stderr, flush=True)
    home.mkdir(parents=True, exist_ok=True)
    log = home / "faucet.log"
    with open(log, "w") as out:
        built = subprocess.run(
            [os.environ.get("CARGO", "cargo"), "install", *FAUCET, "--locked", "--ignore-rust-version",
             "--root", home / "faucet", "--target-dir", home / "faucet-target"],
            cwd=home, stdout=out, stderr=subprocess.STDOUT,
        )
    if built.returncode == 0 and program.exists():
        return program
    print(f"faucet-cli could not be built ({log}); it is left out", flush=True)
    return None


class Peers:
    def __init__(self, options, sink, source, work):
        self.options, self.sink, self.source, self.work = options, sink, source, work
        self.home = options.work.parent / "peers"

    def loader(self):
        job = self.work / "job.toml"
        job.write_text(
            f'[site]\nbase_url = "{self.sink.url}"\ncloud_id = "00000000-0000-4000-8000-000000000000"\n'
            '[state]\ndir = "state"\n[limits]\nroute = "bulk"\nplatform_limits = false\ntask_slots = 5\n'
            f'[[stage]]\nmapping = "{ROOT / "benches" / "customers.toml"}"\ninput = "{self.source}"\nresults = "results.csv"\n'
        )
        words = [self.options.loader, "load", job, "--quiet", "--requests-per-second", "1000000", "--verify", "failed"]

        def measured():
            shutil.rmtree(self.work / "state", ignore_errors=True)
            return run(words, self.work)

        return measured

    def floor(self):
        return lambda: run([self.options.tools / "floor", "load", self.source, self.sink.url, self.work, 5], self.work)

    def httpx(self):
        python = environment_of("httpx", self.home)
        words = [python, HERE / "httpx_load.py", self.source, self.sink.url, self.work / "httpx-results.csv"]
        return lambda: run(words, self.work)

    def dlt(self):
        python = environment_of("dlt", self.home)
        folder = self.work / "dlt"

        def measured():
            shutil.rmtree(folder, ignore_errors=True)
            # nobody is told of it
            quiet = ["env", "RUNTIME__DLTHUB_TELEMETRY=false"]
            return run([*quiet, python, HERE / "dlt_load.py", self.source, self.sink.url, folder], self.work)

        return measured

    def singer(self):
        python = environment_of("singer", self.home)
        config = self.work / "singer.json"
        config.write_text(json.dumps({"url": self.sink.url}))
        pipe = 'set -o pipefail; "$1" "$2" "$4" | "$1" "$3" --config "$5"'
        words = ["bash", "-c", pipe, "-", python, HERE / "singer_tap.py", HERE / "singer_target.py", self.source, config]
        return lambda: run(words, self.work)

    def faucet(self):
        program = faucet(self.home)
        if program is None:
            return None
        text = (HERE / "faucet.yaml").read_text()
        pipeline = self.work / "faucet.yaml"
        pipeline.write_text(text.replace("@INPUT@", str(self.source)).replace("@URL@", self.sink.url))
        return lambda: run([program, "run", pipeline, "--quiet"], self.work)


NAMES = {
    "loader": "csm-loader load (validated, durable, results)",
    "floor": "floor (benches/tools/floor)",
    "faucet": "faucet-cli 1.17.0 (raw rows, one request at a time)",
    "httpx": "csv + httpx, five workers, polls, results",
    "dlt": "dlt 1.31.0",
    "singer": "singer-sdk 0.54.9",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loader", type=pathlib.Path, required=True, help="the program, built for release")
    parser.add_argument("--tools", type=pathlib.Path, required=True, help="folder of sink, floor and input, as optimised")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--delay", type=int, default=0, help="milliseconds that the site takes for a bulk request")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "target" / "bench", help="for input, state and results")
    parser.add_argument("--only", default=",".join(NAMES), help="some of " + ",".join(NAMES))
    options = parser.parse_args()
    options.loader, options.tools = options.loader.resolve(), options.tools.resolve()
    options.work = options.work.resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    wanted = [name for name in NAMES if name in options.only.split(",")]
    source = customers(options.tools, options.work, options.rows) / "customers.csv"
    print(head(options.rows, options.runs), flush=True)
    if options.delay:
        print(f"a bulk request takes {options.delay} ms")
    with tempfile.TemporaryDirectory(dir=options.work) as work, Sink(options.tools, options.delay) as sink:
        peers = Peers(options, sink, source, pathlib.Path(work))
        plan = {name: getattr(peers, name)() for name in wanted}
        runs = {name: [] for name, measure in plan.items() if measure}
        requests = {}
        for _ in range(options.runs):
            for name in runs:
                with sink.counting() as came:
                    runs[name].append(plan[name]())
                requests[name] = came["requests"]
                if came["requests"] < options.rows // 100:
                    sys.exit(f"{name} sent {came['requests']} requests: rows are missing")
    seconds = {name: median([one.seconds for one in measured]) for name, measured in runs.items()}
    lines = [
        [
            NAMES[name], short(seconds[name]), f"{options.rows / seconds[name]:,.0f}",
            f"{seconds[name] / seconds['loader']:.1f} ×" if "loader" in seconds else "",
            f"{requests[name]:,}", peak(runs[name]),
        ]
        for name in runs
    ]
    print()
    print(table(["", "time", "rows/s", "of the loader's time", "bulk requests", "peak memory"], lines))


main()
