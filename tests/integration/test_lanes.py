"""Sessions with several lanes between real nodes: as many as the compute party with the fewest offers, each with links of its own, between compute
parties only; the operations that `parley bench` checks are right, and a query is, and what a node says of the session is true. Relays before the
session ports read who dials whom for which lane, and count the bytes.
Would be wrong if nothing went over the other lanes: each must carry its part of a multiplication.

usage: test_lanes.py BIN [LANES...]: three numbers in place of those of the first federation; a build without sanitizer shows what its sandbox allows"""

import collections
import json
import os
import struct
import sys
import tempfile
import threading

import common
from federation import Federation

N_LONG, GRAIN = 40000, 4096  # what is shared among lanes is cut at multiples of a grain
OPERATIONS = (f"mul {N_LONG}", "lt 20000", "sort 9000")
KEYS = 500  # bytes that every lane sends before there is work; a query's vectors are short, and its work is lane 0's
OWNER = "west"  # brings data and computes nothing
RIGHT = [["f", "8", "84"], ["m", "4", "40"]]


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


class Lanes:
    """What went over the links of one session: bytes by (from rank, to rank, lane)."""

    def __init__(self, federation):
        self.lock, self.preambles, self.bytes = threading.Lock(), collections.defaultdict(bytes), collections.Counter()
        for name, relay in federation.session_relays.items():
            relay.tap = lambda connection, to_target, data, name=name: self.record((name, connection), to_target, data)

    def record(self, connection, to_target, data):
        with self.lock:
            if to_target and len(self.preambles[connection]) < 64:
                self.preambles[connection] += bytes(data)[:64]
            self.bytes[connection] += len(data)

    def take(self):
        """Of the sessions since the last time."""
        with self.lock:
            links = collections.Counter()
            for connection, preamble in self.preambles.items():
                expect(preamble[:4] == b"PLY1", f"a connection to {connection} begins with {preamble}")
                links[struct.unpack("<HHH", preamble[24:30])] += self.bytes[connection]
            self.preambles.clear()
            self.bytes.clear()
            return links


def check_links(links, ranks, n_lanes, bytes_min):
    """All pairs of parties in lane 0, all pairs of compute parties in every other."""
    n = ranks["n"]
    wanted = {(a, b, 0) for a in range(n) for b in range(a)}
    wanted |= {(a, b, lane) for lane in range(1, n_lanes) for a in ranks["compute"] for b in ranks["compute"] if a > b}
    expect(set(links) == wanted, f"links {sorted(links)}, not {sorted(wanted)}")
    for (a, b, lane), size in links.items():
        if a in ranks["compute"] and b in ranks["compute"]:
            expect(size >= bytes_min, f"only {size} bytes from {a} to {b} in lane {lane}")


def session_of(f, member):
    """Rounds, bytes, seconds and lanes of the job that came last, in JSON and in text; and its parties' ranks."""
    jobs = common.job_states(f, member)
    job = max(jobs.values(), key=lambda job: job["created_at"])
    words = f.parley(member, "job", "show", job["job_id"]).out
    n_lanes = job["stats"]["lanes"]
    expect(f", {n_lanes} lane{'' if n_lanes == 1 else 's'}\n" in words, words)
    ranks = {"n": len(job["parties"]), "compute": [i for i, p in enumerate(job["parties"]) if "compute" in p["roles"]]}
    return job["stats"], ranks


def bench(f, lanes, task, n_lanes):
    done = f.parley("north", "bench", task, "--purpose", "test", "--compute", "north,south,east", "--json", timeout=90)
    expect(done.code == 0, f"{task}: {done}")
    table = json.loads(done.out)
    names = [column["name"] if isinstance(column, dict) else column for column in table["columns"]]
    row = dict(zip(names, table["rows"][0]))
    expect(int(row["lanes"]) == n_lanes, f"{task}: {row}")
    _, ranks = session_of(f, "north")
    links = lanes.take()
    is_mul = task.startswith("mul")
    check_links(links, ranks, n_lanes, 8 * GRAIN * (N_LONG // GRAIN // n_lanes) if is_mul else KEYS)
    if is_mul:
        expect(8 * N_LONG <= int(row["bytes_sent"]) <= 8 * N_LONG + 1000, f"{task}: {row['bytes_sent']} bytes, over all lanes")
    return row


def run(folder, build_bin, offered, n_lanes):
    rows = {name: [["f", 10], ["f", 11], ["m", 10]] for name in (*common.MEMBERS, OWNER)}
    members = common.members(folder, rows, session_seconds=60)
    for name, lanes in zip(common.MEMBERS, offered):
        members[name]["limits"]["lanes"] = lanes
    members[OWNER]["limits"]["lanes"] = 1  # it computes nothing: nobody asks it
    with Federation(folder, build_bin, members, relays=True) as f:
        lanes = Lanes(f)
        for task in OPERATIONS:
            row = bench(f, lanes, task, n_lanes)
            print(f"{task}: {row['lanes']} lanes, {row['rounds']} rounds, {row['bytes_sent']} bytes, {row['seconds']} s")
        answer = f.query("north", common.SQL)
        expect(answer.rows() == RIGHT, f"the query: {answer}")
        for member in f.members:
            stats, ranks = session_of(f, member)
            expect(stats["lanes"] == n_lanes and stats["bytes_sent"] > 0, f"{member}: {stats}")
        expect(ranks["n"] == 4 and len(ranks["compute"]) == 3, f"{ranks}")
        check_links(lanes.take(), ranks, n_lanes, KEYS)


def main(build_bin, first=(2, 2, 2)):
    for offered in (first, (2, 3, 1)):
        with tempfile.TemporaryDirectory(prefix="parley-lanes.") as folder:
            run(os.fspath(folder), build_bin, offered, min(offered))
            print(f"offered {offered}: {min(offered)} in the session, and all is right")


if __name__ == "__main__":
    main(sys.argv[1], *([tuple(int(word) for word in sys.argv[2:5])] if len(sys.argv) == 5 else []))
