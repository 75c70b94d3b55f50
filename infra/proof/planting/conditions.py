"""Bugs in conditions: each is planted on the wire under the tests, and nothing is built for it.

A first run of all tests notes which conditions each of them sends, and where. Of the places, together with what can be
other about a condition, come the bugs; and which tests can notice one is known as well, since only they send it.
"""
import json
import os
import re
import signal
import subprocess
import tempfile
import tomllib
from pathlib import Path
from typing import NamedTuple

from planting import (HERE, ROOT, TARGET, Noticed, Stopwatch, chosen, environment, failed, first_panic, side_by_side,
                      simulated, table)
from planting.expressions import ALWAYS, changes

SOURCES = ROOT / "shared/store/src"
CONSTANT = re.compile(r"""const (\w+): &(?:'static )?str\s*=\s*"((?:[^"\\]|\\.)*)";""", re.DOTALL)
IS_CONDITION = re.compile(r"(IF|IS)_\w+")
FILTER = re.compile(r"""\.filter_expression\((?:\w+::)*([A-Z_]+|"[^"]*")\)""")
INLINE = re.compile(r"""(?:If::new|\.condition_expression)\(\s*"([^"]+)\"""")
LISTING = ["cargo", "nextest", "list", "--workspace", "--locked", "--list-type", "binaries-only", "--message-format",
           "json"]
SEED = re.compile(r"MARQUEE_SEED=(\d+)")
# The model has the conditions in words of its own, and beside each the text that it stands for.
MODEL = ROOT / "tests/it/model/tables.rs"
QUOTED = re.compile(r"`(\w+)::(I[FS]_\w+)`: `([^`]*)`")
QUOTES_MIN = 13
RECORD = TARGET / "conditions.json"
SECS_MAX = 120
# Tests that are made to notice just this. Among them, and among the others, the shortest come first.
FIRST = ("parity::", "races::", "replay::", "money::")


class Place(NamedTuple):
    """Where a condition stands: of which kind of item it is, and what is done by it."""

    condition: str
    of: str
    by: str


class Planted(NamedTuple):
    """A bug: another condition, in one place or wherever the condition stands."""

    number: str
    condition: str
    instead: str
    what: str
    place: Place | None

    def belongs(self, place):
        return place == self.place if self.place else place.condition == self.condition

    def order(self):
        """As the tests are told of it."""
        where = self.place._asdict() if self.place else {"condition": self.condition}
        return json.dumps(where | {"instead": self.instead})

    def site(self):
        if not self.place:
            return "everywhere"
        text = f"{self.place.of} {self.place.by}"
        return text if len(text) <= 48 else f"{text[:45]}..."


def constants():
    """Every condition of the store, and where it is written."""
    found = {}
    for file in sorted(SOURCES.rglob("*.rs")):
        text = file.read_text().split("#[cfg(test)]")[0]
        name_of_file = str(file.relative_to(SOURCES))
        written = {name: re.sub(r"\\\n\s*", "", value) for name, value in CONSTANT.findall(text)}
        filters = set(FILTER.findall(text)) & set(written)
        for name, value in written.items():
            if IS_CONDITION.fullmatch(name) or name in filters:
                found.setdefault(value, []).append(f"{name_of_file} {name}")
        for value in INLINE.findall(text):
            found.setdefault(value, []).append(f"{name_of_file} inline")
    return found


def survivors():
    return tomllib.loads((HERE / "survivors.toml").read_text()).get("survivor", [])


def explained(bug, known):
    """Why nobody can notice it, if that is so."""
    for survivor in known:
        place = bug.place or Place(bug.condition, "", "")
        if (survivor["condition"], survivor["instead"]) == (bug.condition, bug.instead) \
                and survivor.get("of", place.of) == place.of and survivor.get("by", place.by) == place.by:
            return survivor["why"]
    return None


def entry(bug):
    """As survivors.toml has it."""
    of_it = {"condition": bug.condition, "instead": bug.instead}
    of_it |= {"of": bug.place.of, "by": bug.place.by} if bug.place else {}
    return "\n".join(["[[survivor]]", *(f"{name} = {json.dumps(value)}" for name, value in of_it.items()), 'why = ""'])


def quotes(known):
    """What the model says of the store's conditions, and the store does not."""
    said = QUOTED.findall(re.sub(r"\n\s*//+!? ?", " ", MODEL.read_text()))
    texts = {(Path(where.split()[0]).stem, where.split()[1]): text for text, names in known.items() for where in names}
    plain = lambda text: re.sub(r"\s+", " ", text)  # noqa: E731
    wrong = [f"the model has another {room}::{name}: {text}" for room, name, text in said
             if plain(texts.get((room, name), "")) != plain(text)]
    if len({(room, name) for room, name, _ in said}) < QUOTES_MIN:
        wrong.append(f"which conditions has the model? {MODEL.relative_to(ROOT)} quotes only {len(said)}")
    return wrong


def check():
    """What is wrong with what can be seen without running anything."""
    known = constants()
    wrong = quotes(known)
    if len(known) < 20:
        wrong.append("where are the conditions of the store?")
    possible = {}
    for text, names in known.items():
        try:
            possible[text] = {change.instead for change in changes(text)} | {""}
        except ValueError as error:
            wrong.append(f"{names[0]}: {error}")
    for survivor in survivors():
        if not survivor.get("why"):
            wrong.append(f"a survivor without a reason: {survivor}")
        if survivor["instead"] not in possible.get(survivor["condition"], {survivor["instead"]}) \
                or survivor["condition"] not in known:
            wrong.append(f"nothing like this survivor is planted: {survivor['condition']} -> {survivor['instead']}")
    return wrong


def bugs(places):
    """What can be other about all conditions, in the order in which they are written."""
    found = []
    for condition in constants():
        here = sorted(place for place in places if place.condition == condition)
        for instead, what, gross in changes(condition):
            for place in [None] if gross or len(here) == 1 else here:
                # A filter may not ask for a part of the key.
                is_filter = all(place.by.startswith("Query") for place in here)
                sent = "" if is_filter and instead == ALWAYS else instead
                found.append(Planted(str(len(found) + 1), condition, sent, what, place))
    return found


class Tests:
    """The tests, each as a process of its own, as nextest runs them."""

    def __init__(self, binary):
        self.binary = binary

    def names(self):
        listed = subprocess.run([self.binary, "--list", "--format", "terse"], check=True, capture_output=True, text=True)
        return [line.removesuffix(": test") for line in listed.stdout.splitlines() if line.endswith(": test")]

    def fails(self, name, variables, over):
        """What a test says if it fails; None if it passes, or if nobody wants to know any more."""
        of_it = environment() | {"CARGO_MANIFEST_DIR": str(ROOT / "tests")} | variables
        with tempfile.TemporaryFile("w+", errors="replace") as output:
            process = subprocess.Popen([self.binary, "--exact", name, "--nocapture"], cwd=ROOT / "tests",
                                       env=of_it, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                       start_new_session=True)
            watch = Stopwatch()
            while process.poll() is None:
                if over.is_set() or watch.secs() > SECS_MAX:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
                    return None if over.is_set() else f"it takes more than {SECS_MAX} s"
                try:
                    process.wait(0.2)
                except subprocess.TimeoutExpired:
                    continue
            output.seek(0)
            text = output.read()
        if process.returncode == 0:
            if " 0 passed" in text:
                failed(f"there is no test {name}")
            return None
        return text


def binary_of(options):
    if options.binary:
        return options.binary.resolve()
    listed = subprocess.run(LISTING, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return Path(json.loads(listed.stdout)["rust-binaries"]["tests::it"]["binary-path"])


def recorded(tests, jobs):
    """Which tests there are, how long they take, and which conditions they send where."""
    made = tests.binary.stat()
    key = [str(tests.binary), made.st_mtime_ns, made.st_size]
    if RECORD.exists() and (record := json.loads(RECORD.read_text()))["of"] == key:
        return record["tests"]
    print("Without a bug: running all tests, to see which conditions they send ...", flush=True)
    found = {}

    def record_one(name, over):
        with tempfile.NamedTemporaryFile("r", prefix="conditions-") as log:
            watch = Stopwatch()
            failure = tests.fails(name, {"MARQUEE_CONDITION_LOG": log.name}, over)
            if failure is not None:
                return name, failure
            places = [json.loads(line) for line in log.read().splitlines()]
            found[name] = {"secs": watch.secs(), "places": [[place["condition"], place["of"], place["by"]]
                                                            for place in places]}
        return None

    red = side_by_side(tests.names(), jobs, record_one)
    if red:
        failed(f"{red[0]} is red without any bug: {first_panic(red[1])}\n{red[1][-2000:]}")
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    RECORD.write_text(json.dumps({"of": key, "tests": found}))
    return found


def noticed(bug, tests, record, before, jobs):
    """Which test notices a bug first, or None. Those that noticed one like it `before` are asked first. A test that is
    red is asked again without the bug, by the same seed: it must be green, or it was not the bug that it noticed."""
    touched = [name for name, seen in record.items() if any(bug.belongs(Place(*place)) for place in seen["places"])]
    order = lambda name: (name not in before, not name.startswith(FIRST), record[name]["secs"])  # noqa: E731

    def ask(name, over):
        failure = tests.fails(name, {"MARQUEE_CONDITION_BUG": bug.order()}, over)
        if failure and "what was planted is no condition" in failure:
            failed(f"number {bug.number} is no condition: {bug.instead}\n{failure[-2000:]}")
        if failure is None:
            return None
        seeds = SEED.findall(failure)
        without = tests.fails(name, {"MARQUEE_SEED": seeds[-1]} if seeds else {}, over)
        if without is not None:
            failed(f"{name} is red without any bug, too: {first_panic(without)}\n{without[-2000:]}")
        return Noticed(name, first_panic(failure))

    return side_by_side(sorted(touched, key=order), jobs, ask)


def simulation(bug, options):
    """What a simulation with this bug broke. It knows no places, and filters are none of its business."""
    return simulated(options.local, options.simulate, f"{bug.condition} => {bug.instead}") if bug.instead else None


def run(options):
    if wrong := check():
        failed("\n".join(wrong))
    if options.simulate and not options.list and (red := simulated(options.local, options.simulate)):
        failed(f"the simulation is red without any bug: {red.why}")
    tests, jobs, known = Tests(binary_of(options)), os.cpu_count() or 1, constants()
    watch = Stopwatch()
    record = recorded(tests, jobs)
    places = {Place(*place) for seen in record.values() for place in seen["places"]}
    if unknown := {place.condition for place in places} - set(known):
        failed(f"sent, and not found in {SOURCES}: {unknown}")
    if unsent := [names[0] for text, names in known.items() if text not in {place.condition for place in places}]:
        failed(f"no test sends {', '.join(unsent)}")
    all_of_them = bugs(places)
    print(f"{len(known)} conditions in {len(places)} places: {len(all_of_them)} bugs ({watch.secs()} s)", flush=True)
    if options.list:
        table(["number", "condition", "place", "what is other"],
              [(bug.number, known[bug.condition][0], bug.site(), bug.what) for bug in all_of_them])
        return 0

    before, rows, unexplained, outdated, watch = {}, [], [], [], Stopwatch()
    for bug in chosen(all_of_them, options.names, lambda bug: bug.number):
        since, likely = Stopwatch(), before.setdefault(bug.condition, set())
        red = simulation(bug, options) if options.simulate else noticed(bug, tests, record, likely, jobs)
        why = explained(bug, survivors())
        if red:
            likely.add(red.by)
            outdated += [bug] if why and not options.simulate else []
        elif not why:
            unexplained.append(bug)
        told, panic = red or Noticed(f"nobody can: {why}" if why else "NOT NOTICED", "")
        row = (bug.number, known[bug.condition][0], bug.site(), bug.what, told, since.secs(), panic)
        print("  ".join(map(str, row)), flush=True)
        rows.append(row)
    print()
    table(["number", "condition", "place", "what is other", "noticed first by", "s", "since"], rows)
    seen = sum(1 for row in rows if row[4] != "NOT NOTICED" and not row[4].startswith("nobody can"))
    print(f"\n{seen} of {len(rows)} bugs in conditions are noticed, {len(rows) - seen - len(unexplained)} cannot be, "
          f"in {watch.secs()} s.")
    if unexplained:
        print("\nNOT noticed. A test is missing, or a reason in infra/proof/survivors.toml:")
    for bug in unexplained:
        print(f"\n# Number {bug.number}: {known[bug.condition][0]}, {bug.site()}, {bug.what}\n{entry(bug)}")
    if outdated:
        print("\nNoticed, and so no survivors any more:")
    for bug in outdated:
        print(f"\n# Number {bug.number}: {known[bug.condition][0]}, {bug.site()}, {bug.what}\n{entry(bug)}")
    return 1 if unexplained or outdated else 0
