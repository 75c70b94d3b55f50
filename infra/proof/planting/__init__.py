"""What both kinds of planted bugs share: where things are, tests that run side by side, and tables."""
import os
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent.parent
HERE = ROOT / "infra/proof"
# All that is made, apart from what is built otherwise.
TARGET = ROOT / "target/planted"
# As Rust tells of one: where, and in the next line why.
PANIC = re.compile(r"panicked at ([^\n]*?):?\n([^\n]*)")
WHY_CHARS_MAX = 140


class Noticed(NamedTuple):
    """Who noticed a bug, and by what."""

    by: str
    why: str


def environment():
    """The caller's, without what makes tests do more, less or other than they do by themselves."""
    return {name: value for name, value in os.environ.items()
            if not name.startswith(("MARQUEE_", "NEXTEST_")) and name != "RUSTFLAGS"}


def first_panic(output):
    """The first line of the first panic, and where it was; what else was said first, if nothing panicked."""
    panic = PANIC.search(output)
    text = f"{panic[2].strip()} ({panic[1]})" if panic else next(iter(output.strip().splitlines()), "")
    return text if len(text) <= WHY_CHARS_MAX else f"{text[:WHY_CHARS_MAX - 3]}..."


def failed(why):
    sys.exit(f"FAILED: {why}")


def chosen(all_of_them, names, name_of):
    """Those that were named, or all."""
    known = {name_of(one) for one in all_of_them}
    if unknown := set(names) - known:
        failed(f"there is no {', '.join(sorted(unknown))}; --list has all names")
    return [one for one in all_of_them if not names or name_of(one) in names]


def table(head, rows):
    rows = [head, *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for number, row in enumerate(rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))


class Stopwatch:
    def __init__(self):
        self.since = time.monotonic()

    def secs(self):
        return round(time.monotonic() - self.since, 1)


def side_by_side(work, jobs, do):
    """Does all of `work`, `jobs` at a time, until one of them comes to something. Says to what, or None. `do` is told of
    an event, which is set when it need not go on."""
    over, found = threading.Event(), []

    def one(part):
        result = None if over.is_set() else do(part, over)
        if result is not None and not over.is_set():
            over.set()
            found.append(result)

    with ThreadPoolExecutor(jobs) as pool:
        try:
            for done in as_completed([pool.submit(one, part) for part in work]):
                done.result()
        finally:
            over.set()
    return found[0] if found else None


def simulated(local, operations, plant=None):
    """What a simulation says that broke, or None: by this program, and with this bug in a condition if one is given. One
    that takes far too long has noticed something, too."""
    secs_max = 600 + operations // 50
    command = [local, "simulate", "--seed", "1", "--operations", str(operations), "--operations-per-seed", "500"]
    command += ["--plant", plant] if plant else []
    lines, late = [], threading.Event()

    def stop():
        late.set()
        played.kill()

    with subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True) as played:
        timer = threading.Timer(secs_max, stop)
        timer.start()
        try:
            for line in played.stdout:
                lines.append(line)
                if line.startswith("BROKEN: "):
                    # How few steps it takes is not asked here.
                    played.kill()
                    return Noticed("simulation", line.removeprefix("BROKEN: ").strip())
        finally:
            timer.cancel()
    if late.is_set():
        return Noticed("simulation", f"it takes more than {secs_max} s")
    if played.returncode == 0:
        return None
    output = "".join(lines)
    if "part of no condition" in output:
        return None
    for line in lines:
        # A bug can be in the way of what should happen, too.
        if "panicked at" in line:
            return Noticed("simulation", first_panic(output))
        if line.startswith("What never happened") and ": nothing" not in line:
            return Noticed("simulation", output[output.index(line):].replace("\n", " ")[:WHY_CHARS_MAX])
    return failed(f"{' '.join(map(str, command))}\n{output[-2000:]}")
