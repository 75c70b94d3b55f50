"""Bugs in the source: each is planted in a copy of the tree, which is built and tested."""
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import NamedTuple

from planting import (HERE, PANIC, ROOT, TARGET, Noticed, Stopwatch, chosen, environment, failed, first_panic, simulated,
                      table)

COPY = TARGET / "copy"
BUILD = TARGET / "build"
# Always the same, or Cargo would choose other features for what they share, and build that again.
PACKAGES = ["-p", "tests", "-p", "domain"]
LOCAL = ["-p", "local", "--bin", "local"]
# A test that did not pass, as nextest tells it: `  FAIL [   0.1s] (1/9) tests::it parity::hold`.
NOT_PASSED = re.compile(r"^\s*([A-Z][A-Z +-]*?)\s+\[\s*[\d.]+s\]\s+(?:\([^)]*\)\s+)?(\S+)\s+(\S+)$", re.MULTILINE)
NEXTEST_FOUND_FAILURES, NEXTEST_FOUND_NO_TESTS = 100, 4


class Edit(NamedTuple):
    file: str
    before: str
    after: str


class Bug(NamedTuple):
    name: str
    breaks: str
    tests: str
    edits: list


def read():
    bugs = tomllib.loads((HERE / "bugs.toml").read_text())["bug"]
    edits = lambda bug: [Edit(edit["file"], edit["from"], edit["to"]) for edit in bug["edit"]]  # noqa: E731
    return [Bug(bug["name"], bug["breaks"], bug["tests"], edits(bug)) for bug in bugs]


def check():
    """What is wrong with the list as the tree is now."""
    bugs, wrong = read(), []
    if len({bug.name for bug in bugs}) < len(bugs):
        wrong.append("two bugs have one name")
    for bug in bugs:
        if not (bug.breaks and bug.tests and bug.edits):
            wrong.append(f"{bug.name}: what it breaks, a filter and an edit are needed")
        for file, before, after in bug.edits:
            times = (ROOT / file).read_text().count(before) if (ROOT / file).exists() else 0
            if times != 1:
                wrong.append(f"{bug.name}: stands {times} times in {file}:\n{before}")
            if before == after:
                wrong.append(f"{bug.name}: changes nothing in {file}")
    return wrong


def files_of_the_tree():
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {name for name in listed.split("\0") if name and (ROOT / name).is_file()}


def forget_members(target):
    """Has the tree's own crates built again in this folder. To Cargo the copy is the tree, and the newer build is the
    right one, whatever was planted in it; what comes from outside is the same in both, and stays."""
    manifests = [ROOT / name for name in files_of_the_tree() if Path(name).name == "Cargo.toml"]
    packages = [tomllib.loads(manifest.read_text()).get("package", {}).get("name") for manifest in manifests]
    is_member = re.compile(rf"({'|'.join(map(re.escape, filter(None, packages)))})-[0-9a-f]{{16}}")
    for folder in (target / "debug/.fingerprint").glob("*"):
        if is_member.fullmatch(folder.name):
            shutil.rmtree(folder)


def mirror():
    """Makes the copy as the tree is, and touches nothing else in it: what did not change is not built again."""
    files = files_of_the_tree()
    for name in sorted(files):
        here, there = ROOT / name, COPY / name
        if not there.exists() or there.read_bytes() != here.read_bytes():
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(here, there)
        shutil.copymode(here, there)
    for there in COPY.rglob("*"):
        if there.is_file() and str(there.relative_to(COPY)) not in files:
            there.unlink()


def cargo(arguments, target, log):
    """Calls Cargo in the copy. Says how that ended, and what it said. A test that hangs ends as .config/nextest.toml has
    it, which is in the copy as well."""
    of_it = environment() | {"CARGO_TARGET_DIR": str(target), "CARGO_INCREMENTAL": "1", "CARGO_TERM_COLOR": "never"}
    ended = subprocess.run(["cargo", *arguments], cwd=COPY, env=of_it, text=True, errors="replace",
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with open(log, "a") as file:
        file.write(f"$ cargo {' '.join(arguments)}\n{ended.stdout}\n")
    return ended.returncode, ended.stdout


class Runner:
    """How a tree is asked whether it has a bug."""

    def __init__(self, options):
        self.by, self.all_tests, self.operations = options.by, options.all_tests, options.simulate
        self.target = options.target.resolve()

    def filter_of(self, bugs):
        return self.by or " | ".join(f"({tests})" for tests in dict.fromkeys(bug.tests for bug in bugs))

    def build(self, what, log):
        command = ["build", "--locked", *LOCAL] if self.operations else \
            ["nextest", "run", "--no-run", "--locked", *PACKAGES]
        code, output = cargo(command, self.target, log)
        if code != 0:
            errors = output[max(output.find("\nerror"), 0):].strip()
            failed(f"{what} is not built; a bug that is none:\n{errors[:3000]}")

    def notices(self, bugs, log):
        """Who notices, or None."""
        if self.operations:
            return simulated(self.target / "debug/local", self.operations)
        found = self.tested(["-E", self.filter_of(bugs)], log)
        return self.tested([], log) if found is None and self.all_tests else found

    def tested(self, chosen_tests, log):
        code, output = cargo(["nextest", "run", "--locked", *PACKAGES, "--max-fail=1:immediate", "--status-level=fail",
                              "--failure-output=immediate", *chosen_tests], self.target, log)
        if code == 0:
            return None
        red = [found[3] for found in NOT_PASSED.finditer(output) if not found[1].startswith("PASS")]
        if code != NEXTEST_FOUND_FAILURES or not red:
            why = "the filter finds no test" if code == NEXTEST_FOUND_NO_TESTS else f"nextest ended with {code}"
            failed(f"{why}: {' '.join(chosen_tests)}; see {log}")
        return Noticed(red[0], first_panic(output) if PANIC.search(output) else "")


def planted(bug):
    """Plants it in the copy. Says what was there before."""
    before = {}
    for file, old, new in bug.edits:
        text = (COPY / file).read_text()
        before.setdefault(file, text)
        (COPY / file).write_text(text.replace(old, new))
    return before


def run(options):
    bugs = chosen(read(), options.names, lambda bug: bug.name)
    if options.list:
        table(["bug", "what it breaks"], [(bug.name, bug.breaks) for bug in bugs])
        return 0
    if wrong := check():
        failed("\n".join(wrong))
    logs = TARGET / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    mirror()

    runner = Runner(options)
    is_shared = runner.target != BUILD
    try:
        if is_shared:
            forget_members(runner.target)
        return plant(bugs, runner, logs)
    finally:
        if is_shared:
            forget_members(runner.target)


def plant(bugs, runner, logs):
    """Plants one after the other, and says who noticed."""
    watch = Stopwatch()
    print("Without a bug: building, and running all that is to notice one ...", flush=True)
    runner.build("the tree", logs / "tree.txt")
    build_secs, watch = watch.secs(), Stopwatch()
    if red := runner.notices(bugs, logs / "tree.txt"):
        failed(f"it is red without any bug: {red.by}: {red.why}; see {logs / 'tree.txt'}")
    print(f"green, built in {build_secs} s, run in {watch.secs()} s", flush=True)

    rows, missed = [], []
    for bug in bugs:
        log = logs / f"{bug.name}.txt"
        before = planted(bug)
        try:
            watch = Stopwatch()
            runner.build(bug.name, log)
            build_secs, watch = watch.secs(), Stopwatch()
            red = runner.notices([bug], log)
            red_secs = watch.secs()
        finally:
            for file, text in before.items():
                (COPY / file).write_text(text)
        by, why = red or Noticed("NOT NOTICED", "")
        print(f"{bug.name}: {by} ({build_secs} s to build, {red_secs} s to run){why and f': {why}'}", flush=True)
        rows.append((bug.name, by, build_secs, red_secs, why))
        missed += [] if red else [bug.name]
    print()
    table(["bug", "noticed first by", "built in s", "red in s", "since"], rows)
    print(f"\n{len(rows) - len(missed)} of {len(rows)} planted bugs are noticed.")
    if missed:
        print(f"NOT noticed: {', '.join(missed)}")
    return 1 if missed else 0
