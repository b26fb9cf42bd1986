"""What the drivers share: a program run and measured, the instant site, medians, the table's head and lines."""

import contextlib
import datetime
import json
import os
import pathlib
import platform
import resource
import signal
import statistics
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
CREDENTIALS = {"CSM_LOADER_EMAIL": "bench@example.com", "CSM_LOADER_API_TOKEN": "none"}
# peak memory is told in kilobytes on Linux, in bytes on macOS
KILOBYTES = 1024 * 1024 if sys.platform == "darwin" else 1024


class Measured:
    """One run of a program: seconds it took, seconds of processor time, peak memory and what it wrote to disks in MB, what it
    printed."""

    def __init__(self, seconds, usage, output):
        self.seconds = seconds
        self.processor = usage.ru_utime + usage.ru_stime
        self.peak = usage.ru_maxrss / KILOBYTES
        # in blocks of 512 bytes; nothing where files are in memory
        self.written = usage.ru_oublock * 512 / 1e6
        self.output = output


def environment():
    """The caller's, without what would change how the loader works."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CSM_LOADER_")}
    return {**kept, **CREDENTIALS}


def fail(words, code, output):
    command = " ".join(str(word) for word in words)
    sys.exit(f"{command}\nended with {code}:\n{output[-4000:]}")


def run(words, cwd, codes=(0,)):
    """Runs a program to its end. Any other exit code than those expected ends the measurement."""
    with open(pathlib.Path(cwd) / "output", "w+") as output:
        started = time.monotonic()
        child = subprocess.Popen(
            [str(word) for word in words], cwd=cwd, env=environment(), stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT,
        )
        # the usage of this child alone, and of those it waited for
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if child.returncode not in codes:
        fail(words, child.returncode, text)
    return Measured(seconds, usage, text)


def run_until(words, cwd, enough):
    """Runs a program and kills it as soon as `enough()`. It must not have ended before."""
    with open(pathlib.Path(cwd) / "output", "w+") as output:
        child = subprocess.Popen(
            [str(word) for word in words], cwd=cwd, env=environment(), stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT,
        )
        while child.poll() is None and not enough():
            time.sleep(0.005)
        child.send_signal(signal.SIGKILL)
        if child.wait() != -signal.SIGKILL:
            output.seek(0)
            fail(words, child.returncode, "it ended before it could be killed: take more rows\n" + output.read())


class Sink:
    """The instant site, as long as it is open."""

    def __init__(self, tools, delay=0):
        self.process = subprocess.Popen(
            [str(tools / "sink"), str(delay)], stdout=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline().split()
        if line[:1] != ["serving"]:
            sys.exit("the sink does not serve")
        self.url = line[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def counts(self):
        """What came since the sink was started: bulk requests, their bytes, polls."""
        with urllib.request.urlopen(self.url + "/counts", timeout=10) as answer:
            return json.load(answer)

    @contextlib.contextmanager
    def counting(self):
        """What came meanwhile, once it is over."""
        before = self.counts()
        came = {}
        yield came
        after = self.counts()
        came.update({name: after[name] - before[name] for name in after})


def customers(tools, work, rows):
    """The folder of the input, made unless it is there."""
    folder = work / f"input-{rows}"
    if not (folder / "complete").exists():
        subprocess.run([tools / "input", folder, str(rows)], check=True)
        (folder / "complete").touch()
    return folder


def processor():
    with contextlib.suppress(OSError):
        for line in open("/proc/cpuinfo"):
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def memory():
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"


def head(rows, runs):
    """Date and machine. How busy it was: other work makes every figure worse."""
    commit = subprocess.run(
        ["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True
    ).stdout.strip()
    today = datetime.date.today().isoformat()
    return (
        f"{rows:,} rows, medians of {runs} runs. {today}, {os.cpu_count()} cores of {processor()}, {memory()}, "
        f"{platform.system()} {platform.release()}, commit {commit or 'unknown'}, "
        f"load average at the start {os.getloadavg()[0]:.1f}"
    )


def table(columns, lines):
    """Markdown: the first column to the left, the others to the right."""
    cells = [columns] + [[str(cell) for cell in line] for line in lines]
    widths = [max(len(line[column]) for line in cells) for column in range(len(columns))]

    def row(line):
        padded = [
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths))
        ]
        return "| " + " | ".join(padded) + " |"

    rule = [("-" * (width - (column > 0))) + (":" if column else "") for column, width in enumerate(widths)]
    return "\n".join([row(columns), "| " + " | ".join(rule) + " |"] + [row(line) for line in cells[1:]])


def median(values):
    return statistics.median(values)


def peak(measured):
    """The highest of the runs. A child starts in its parent's memory: what stays below that cannot be told."""
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KILOBYTES
    highest = max(one.peak for one in measured)
    return f"{highest:.0f} MB" if highest > 1.05 * ours else f"< {ours + 1:.0f} MB"


def short(seconds):
    return f"{seconds:.2f} s" if seconds < 100 else f"{seconds:.0f} s"
