#!/usr/bin/env python3
"""Measures whole runs of the loader beside the machine's own limit (benches/tools/floor), against a site that costs nothing
(benches/tools/sink.rs): checks, loads, the same again, changed rows, a load taken up after a kill, a retry, slow requests,
start-up. What is compared is measured in turns, since machines drift. Prints tables. Every run's result is looked at: rows
that are missing end the measurement.

usage: run.py --loader BINARY --tools FOLDER [--rows N] [--runs N] [--work FOLDER] [--only WORD,...]
"""

import argparse
import pathlib
import re
import shutil
import sys
import tempfile

from measure import ROOT, Sink, customers, head, median, peak, run, run_until, short, table

MAPPING = ROOT / "benches" / "customers.toml"
WITH_PHONE = ROOT / "benches" / "customers-phone.toml"
CLOUD = "00000000-0000-4000-8000-000000000000"
# a share of the floor's speed that counts as much as a figure in rows a second: machines differ
SHARE = 0.4
# as many requests at a time as the floor has
AS_THE_FLOOR = "task_slots = 16\n"
FULL_SPEED = ["--quiet", "--requests-per-second", "1000000", "--verify", "failed"]


class Entry:
    """One line of the table: which floor it is held against, what is asked of it, and what was measured."""

    def __init__(self, name, floor=None, goal=None):
        self.name, self.floor, self.goal = name, floor, goal
        self.rows, self.runs = 0, []

    def add(self, rows, measured):
        self.rows = rows
        self.runs.append(measured)

    def seconds(self):
        return median([measured.seconds for measured in self.runs])

    def rate(self):
        return self.rows / self.seconds()

    def line(self):
        share, goal = "", ""
        if self.floor is not None and self.floor is not self and self.floor.runs:
            of_floor = self.rate() / self.floor.rate()
            share = f"{100 * of_floor:.0f} %"
            if self.goal:
                met = self.rate() >= self.goal or of_floor >= SHARE
                goal = f"{self.goal:,}: " + ("met" if met else "missed")
        processor = median([measured.processor for measured in self.runs])
        return [
            self.name, f"{self.rows:,}", short(self.seconds()), short(processor), f"{self.rate():,.0f}",
            share, peak(self.runs), f"{median([measured.written for measured in self.runs]):,.0f} MB", goal,
        ]


def number(pattern, text):
    """The number in a summary, 0 where it does not stand."""
    found = re.search(pattern, text, re.MULTILINE)
    return int(found.group(1).replace(",", "")) if found else 0


def expect(what, is_, should):
    if is_ != should:
        sys.exit(f"{what}: {is_:,} instead of {should:,}")


class Bench:
    def __init__(self, options, work):
        self.loader, self.tools, self.rows = options.loader.resolve(), options.tools.resolve(), options.rows
        self.work = work
        self.input = customers(self.tools, options.work, self.rows)
        self.sink = Sink(self.tools)
        self.body_bytes = None
        self.ledger = 0

    # --- what is run

    def job(self, name, state, url=None, mapping=MAPPING, source=None, limits=AS_THE_FLOOR):
        """A job file; its results go beside it."""
        path = self.work / f"{name}.toml"
        path.write_text(
            f'[site]\nbase_url = "{url or self.sink.url}"\ncloud_id = "{CLOUD}"\n'
            f'[state]\ndir = "{state}"\n'
            f'[limits]\nroute = "bulk"\nplatform_limits = false\n{limits}'
            f'[[stage]]\nmapping = "{mapping}"\ninput = "{source or self.input / "customers.csv"}"\n'
            f'results = "{name}-results.csv"\n'
        )
        return path

    def fresh(self, name, base=None):
        """A state folder without a past."""
        path = (base or self.work) / name
        shutil.rmtree(path, ignore_errors=True)
        return path

    def floor_reads(self, entry):
        measured = run([self.tools / "floor", "read", self.input / "customers.csv"], self.work)
        self.body_bytes = number(r" ([0-9]+) bytes", measured.output)
        entry.add(number(r"^([0-9]+) rows", measured.output), measured)

    def floor_loads(self, entry):
        with self.sink.counting() as came:
            words = [self.tools / "floor", "load", self.input / "customers.csv", self.sink.url, self.work]
            measured = run(words, self.work)
        expect("requests of the floor", came["requests"], -(-self.rows // 100))
        entry.add(self.rows, measured)

    def check(self, entry, source, mapping=MAPPING):
        words = [
            self.loader, "check", "--quiet", "--mapping", mapping, "--input", source,
            "--state-dir", self.fresh("state-check"), "--results", "rejected.csv",
        ]
        measured = run(words, self.work)
        expect(entry.name, number(r"ready to load +([0-9,]+)", measured.output), self.rows)
        entry.add(self.rows, measured)

    def load(self, entry, job, expected, word="loaded"):
        with self.sink.counting() as came:
            measured = run([self.loader, "load", job, *FULL_SPEED], self.work)
        expect(entry.name, number(rf"^  {word} +([0-9,]+)", measured.output), expected)
        entry.add(self.rows, measured)
        return came

    def first_load(self, entry, state):
        came = self.load(entry, self.job("load", state), self.rows)
        self.ledger = (state / "ledger.sqlite").stat().st_size
        if self.body_bytes is not None:
            # item by item what the floor sends
            expect(f"{entry.name}: bytes of bodies", came["bytes"], self.body_bytes)

    def changed(self, entry, state):
        """Every hundredth row with another note, under the name of the whole input: the same job, another content."""
        source = self.work / "changed.csv"
        changed = 0
        with open(self.input / "customers.csv", newline="") as old, open(source, "w", newline="") as new:
            for count, line in enumerate(old):
                if count % 100 == 7:
                    line = re.sub(r'("(?:[^"]|"")*"|[^,]*)\n$', "changed tonight\n", line)
                    changed += 1
                new.write(line)
        came = self.load(entry, self.job("load", state, source=source), changed)
        expect("requests for changed rows", came["requests"], -(-changed // 100))
        source.unlink()

    def interrupted(self):
        """A state folder as a kill leaves it, when half of the requests were answered."""
        state = self.fresh("state-killed")
        before = self.sink.counts()["requests"]
        half = self.rows // 200
        run_until(
            [self.loader, "load", self.job("resume", state), *FULL_SPEED], self.work,
            lambda: self.sink.counts()["requests"] - before >= half,
        )
        return state

    def resume(self, entry, killed):
        state = self.work / "state-resume"
        shutil.rmtree(state, ignore_errors=True)
        shutil.copytree(killed, state)
        self.load(entry, self.job("resume", state), self.rows)
        shutil.rmtree(state)

    def held_back(self):
        """A state folder and results of a load whose mapping refused about half of the rows."""
        state = self.fresh("state-held")
        mapping = self.work / "held-back.toml"
        mapping.write_text(MAPPING.read_text() + 'HELD_BACK = "seats >= 250"\n')
        job = self.job("held", state, mapping=mapping)
        measured = run([self.loader, "load", job, *FULL_SPEED], self.work, codes=(4,))
        return state, number(r"^  rejected +([0-9,]+)", measured.output)

    def retry(self, entry, held, rows):
        state = self.work / "state-retry"
        shutil.rmtree(state, ignore_errors=True)
        shutil.copytree(held, state)
        job = self.job("retry", state)
        words = [
            self.loader, "retry", "held-results.csv", "--job", job, "--mapping", MAPPING, "--results", "retried.csv",
            *FULL_SPEED,
        ]
        measured = run(words, self.work)
        expect(entry.name, number(r"^  loaded +([0-9,]+)", measured.output), rows)
        entry.add(rows, measured)
        shutil.rmtree(state)


def whole_runs(bench, runs, wanted):
    read, sent = Entry("floor: CSV to JSON, one core"), Entry("floor: CSV to site, journal, results")
    csv, parquet, arrow = (bench.input / f"customers.{ending}" for ending in ("csv", "parquet", "arrow"))
    state = bench.work / "state-load"
    plan = []

    def line(group, name, floor, goal, work):
        if group in wanted:
            plan.append((Entry(name, floor, goal), work))
            return plan[-1][0]
        return None

    if "check" in wanted:
        plan.append((read, bench.floor_reads))
    for ending, source, goal in (("CSV", csv, 1_500_000), ("Parquet", parquet, 2_000_000), ("Arrow", arrow, 2_000_000)):
        line("check", f"check, {ending}", read, goal, lambda entry, source=source: bench.check(entry, source))
    for ending, source in (("CSV", csv), ("Parquet", parquet), ("Arrow", arrow)):
        line(
            "check", f"check, {ending}, phone numbers too", read, 800_000,
            lambda entry, source=source: bench.check(entry, source, WITH_PHONE),
        )
    if "load" in wanted:
        plan.append((sent, bench.floor_loads))
    shm = pathlib.Path("/dev/shm")
    if "load" in wanted and shm.is_dir():
        in_memory = pathlib.Path(tempfile.mkdtemp(dir=shm))
        bench.in_memory = in_memory
        line(
            "load", "load, CSV, state folder in memory", sent, None,
            lambda entry: bench.first_load(entry, bench.fresh("state", in_memory)),
        )
    line("load", "load, CSV", sent, 500_000, lambda entry: bench.first_load(entry, bench.fresh("state-load")))
    line("load", "the same again: unchanged", read, 800_000, lambda entry: no_request(bench, entry, state))
    line("load", "1 % changed", read, None, lambda entry: bench.changed(entry, state))
    if "resume" in wanted:
        killed = bench.interrupted()
        line("resume", "load, taken up after a kill at half", sent, None, lambda entry: bench.resume(entry, killed))
    if "retry" in wanted:
        held, rows = bench.held_back()
        line("retry", "retry of the rejected half", sent, None, lambda entry: bench.retry(entry, held, rows))
    for _ in range(runs):
        for entry, work in plan:
            work(entry)
    columns = ["", "rows", "time", "processor", "rows/s", "of the floor", "peak memory", "written", "goal, rows/s"]
    print(table(columns, [entry.line() for entry, _ in plan]), flush=True)
    if bench.ledger:
        print(f"\nThe ledger after a first load: {bench.ledger / 1e6:,.0f} MB, {bench.ledger / bench.rows:,.0f} bytes a row.", flush=True)


def no_request(bench, entry, state):
    came = bench.load(entry, bench.job("load", state), bench.rows, "unchanged")
    expect("requests for unchanged rows", came["requests"], 0)


def slow_requests(bench, options, runs):
    """A site that needs 50 ms for a request and answers polls at once: with five requests at a time the floor is known."""
    rows, delay, slots = 100_000, 50, 5
    source = customers(bench.tools, options.work, rows) / "customers.csv"
    entry = Entry(f"{rows:,} rows, {delay} ms a request, task_slots = {slots}")
    floor = Entry("floor: the same, as many requests at a time")
    with Sink(bench.tools, delay) as sink:
        for _ in range(runs):
            floor.add(rows, run([bench.tools / "floor", "load", source, sink.url, bench.work, slots], bench.work))
            limits = f"task_slots = {slots}\n"
            job = bench.job("slow", bench.fresh("state-slow"), sink.url, source=source, limits=limits)
            measured = run([bench.loader, "load", job, *FULL_SPEED], bench.work)
            expect(entry.name, number(r"^  loaded +([0-9,]+)", measured.output), rows)
            entry.add(rows, measured)
    least = rows / 100 * delay / 1000 / slots
    goal = f"{least + 0.3:.1f} s: " + ("met" if entry.seconds() <= least + 0.3 else "missed")
    lines = [[floor.name, short(floor.seconds()), ""], [entry.name, short(entry.seconds()), goal]]
    print(table(["", "time", "goal"], lines))
    print(f"\nNone can be faster than {least:.1f} s.")


def start_up(bench):
    """Start-up, in 20 runs each, and size."""
    ten = bench.work / "ten.csv"
    with open(bench.input / "customers.csv") as whole:
        ten.write_text("".join(next(whole) for _ in range(11)))
    check = [bench.loader, "check", "--quiet", "--input", ten, "--results", "rejected.csv", "--mapping"]
    lines = []
    for name, words, goal in (
        ("csm-loader --help", [bench.loader, "--help"], 20),
        ("check of 10 rows", [*check, MAPPING], 100),
        ("check of 10 rows, phone numbers too", [*check, WITH_PHONE], 100),
    ):
        if "check" in words:
            words = [*words, "--state-dir", bench.work / "state-start"]
        millis = 1000 * median([run(words, bench.work).seconds for _ in range(20)])
        lines.append([name, f"{millis:.1f} ms", f"{goal} ms: " + ("met" if millis < goal else "missed")])
    lines.append(["size of the program", f"{bench.loader.stat().st_size / 1e6:.1f} MB", ""])
    print(table(["", "median of 20", "goal"], lines))


GROUPS = ("check", "load", "resume", "retry", "slow", "start")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loader", type=pathlib.Path, required=True, help="the program, built for release")
    parser.add_argument("--tools", type=pathlib.Path, required=True, help="folder of sink, floor and input, as optimised")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "target" / "bench", help="for input, state and results")
    parser.add_argument("--only", default=",".join(GROUPS), help="some of " + ",".join(GROUPS))
    options = parser.parse_args()
    options.work = options.work.resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    wanted = set(options.only.split(","))
    if not wanted <= set(GROUPS):
        parser.error("--only takes " + ",".join(GROUPS))
    print(head(options.rows, options.runs), flush=True)
    with tempfile.TemporaryDirectory(dir=options.work) as work:
        bench = Bench(options, pathlib.Path(work))
        bench.in_memory = None
        with bench.sink:
            try:
                if wanted & {"check", "load", "resume", "retry"}:
                    print()
                    whole_runs(bench, options.runs, wanted)
                if "slow" in wanted:
                    print()
                    slow_requests(bench, options, options.runs)
                if "start" in wanted:
                    print()
                    start_up(bench)
            finally:
                if bench.in_memory:
                    shutil.rmtree(bench.in_memory)


main()
