"""A training whose members die in the middle, and what of it can be seen from outside.

Shows: kill -9 of a worker, of the child that keeps the rows, or of a whole node, at a named round: every other party's job ends within
its deadline, nobody has a model, the cause is told; the next training is right; no process is left. And: no value of an input stands
in the decrypted frames of the session links, in the scheduler's database, in a node's state or in a log.
Would be wrong if: the points were not reached (then the job is released, and the test fails), or if nothing was captured."""

import json
import os
import struct
import sys
import tempfile
import time

import common
import training
from federation import Federation
from kills import DEADLINE_SECONDS, expect, restart, settled

HOSPITALS = ("north", "south", "east")
# Who dies where; what the submitter, north, must be told (any of these).
POINTS = (
    # The victim's own word (INTERNAL, UNAVAILABLE) and the closed link (PEER_LOST) reach north in either order.
    ("south", "round-1", ("PEER_LOST", "INTERNAL")),
    ("south", "round-7", ("PEER_LOST", "INTERNAL")),
    ("south", "kept-0", ("INTERNAL", "PEER_LOST", "UNAVAILABLE")),  # reserved, but the session has not begun
    ("north", "kept-0", ("INTERNAL", "PEER_LOST", "UNAVAILABLE")),
    ("south", "kept-1", ("PEER_LOST", "UNAVAILABLE")),  # before anything is opened
    ("south", "kept-2", ("PEER_LOST", "UNAVAILABLE")),  # when it is given the scale
    ("east", "kept-9", ("PEER_LOST", "UNAVAILABLE")),
    ("north", "kept-9", ("UNAVAILABLE", "PEER_LOST")),
    ("north", "round-20", ("INTERNAL", "PEER_LOST")),
    ("east", "daemon-before-opening", ("PEER_LOST",)),
)
MARKERS = {"north": 1234.5677890625, "south": 2345.6789892578125, "east": 3456.789123535156}


def train(f, path):
    return f.parley("north", "train", path, "--json", "--timeout", "60", timeout=90)


def expect_model(f, path, pooled, when):
    answer = train(f, path)
    expect(answer.code == 0, f"{when}: {answer}")
    wrong = training.differences(json.loads(answer.out), pooled)
    expect(not wrong, f"{when}: {wrong}")


def try_point(f, path, pooled, victim, point, codes):
    restart(f, victim, point)
    known = set(common.job_states(f, "north"))
    began = time.monotonic()
    answer = train(f, path)
    took = time.monotonic() - began
    when = f"{point} at {victim}"
    expect(answer.code != 0, f"{when}: there is a model: {answer}")
    expect(took < DEADLINE_SECONDS, f"{when}: the submitter waited {took:.0f} s")
    restart(f, victim)
    new = set(common.job_states(f, "north")) - known
    expect(len(new) == 1, f"{when}: {len(new)} new jobs at north")
    job_id = new.pop()
    for member in HOSPITALS:
        job = settled(f, member, job_id)
        expect(job["state"] in ("lost", "aborted"), f"{when}: {member} says {job['state']}: {job['reason']}")
        result = f.parley(member, "job", "result", job_id)
        expect(result.code != 0, f"{when}: {member} has a result: {result}")
    cause = json.loads(answer.out)["error"]
    expect(cause["code"] in codes, f"{when}: north is told {cause}")
    expect(victim == "north" or victim in cause["message"], f"{when}: another is blamed: {cause}")
    expect("rank" not in cause["message"] or "(rank" in cause["message"], f"{when}: who is meant? {cause}")
    print(f"{point:22} at {victim:6} {took:.1f} s; {cause['code']}: {cause['message']}", flush=True)
    expect_model(f, path, pooled, f"after {when}")


def kills(build_bin):
    with tempfile.TemporaryDirectory(prefix="parley-train.") as folder:
        parts = {name: training.rows_of(name) for name in HOSPITALS}
        with Federation(folder, build_bin, training.members(folder, parts, session_seconds=15)) as f:
            path, keys = training.task(folder)
            pooled = training.train([r for rows in parts.values() for r in rows], keys)
            expect_model(f, path, pooled, "at first")
            for victim, point, codes in POINTS:
                try_point(f, path, pooled, victim, point, codes)
            f.failures.clear()
        left = common.processes_under(folder)
        expect(not left, f"left behind: {left}")


# ---- nothing leaks ----

def patterns(value):
    """The value as text, as a double both ways, and in fixed point of every width and scale in use, both ways."""
    found = {repr(value).encode(), struct.pack("<d", value), struct.pack(">d", value)}
    high = float(training.RANGES["mean_area"])
    units = [round(value * 2**bits) for bits in (0, 16, 20, 24, 32, 37, 40)] + [round((value / high * 2 - 1) * 2**40)]
    for whole in map(abs, units):
        if whole > 2**31:
            found |= {whole.to_bytes(8, "little"), whole.to_bytes(8, "big")}
    return found


def files_under(folder):
    return [os.path.join(base, name) for base, _, names in os.walk(folder) for name in names]


def finds(path):
    """Whose inputs stand in a file."""
    with open(path, "rb") as file:
        content = file.read()
    return [who for who, value in MARKERS.items() if any(p in content for p in patterns(value))]


def marked(rows, value):
    """One row of each owner has a value that stands nowhere else."""
    changed = [dict(r) for r in rows]
    changed[0]["mean_area"] = repr(value)
    return changed


def leaks(build_bin):
    features = ["mean_area", "mean_texture"]
    with tempfile.TemporaryDirectory(prefix="parley-train.") as folder:
        data, capture = os.path.join(folder, "data"), os.path.join(folder, "capture")
        os.mkdir(data)
        os.mkdir(capture)
        parts = {name: marked(training.rows_of(name), MARKERS[name]) for name in HOSPITALS}
        members = training.members(data, parts, features)
        with Federation(folder, build_bin, members, environment={"PARLEY_CAPTURE": capture}) as f:
            path, keys = training.task(data, features=features, rounds=5)
            pooled = training.train([r for rows in parts.values() for r in rows], keys)
            expect_model(f, path, pooled, "with markers")
        frames = files_under(capture)
        state = [p for p in files_under(folder) if not p.startswith((capture + os.sep, data + os.sep))]
        captured = sum(os.path.getsize(p) for p in frames)
        expect(captured > 50000, f"only {captured} bytes were captured: the test would prove nothing")
        expect(sorted(who for p in files_under(data) for who in finds(p)) == sorted(HOSPITALS), "the search finds nothing")
        for path in frames + state:
            expect(not finds(path), f"{path}: an input of {finds(path)}")
        print(f"{captured} bytes of decrypted frames, {len(state)} files of state and logs: no input value in them")


def main(build_bin):
    kills(build_bin)
    leaks(build_bin)


if __name__ == "__main__":
    main(sys.argv[1])
