#!/usr/bin/env python3
"""bench/load.py BIN [CONCURRENT [JOBS]]: many questions at once, and many one after the other.

Starts three nodes and a scheduler on loopback with the programs in BIN, a release build.
  burst    CONCURRENT (50) small queries submitted at once to the three nodes: all answers compared, throughput, median and p99 of the time
           from the start of `parley query` to its end
  soak     JOBS (2000) queries, a few at a time: resident memory of every process and size of the state after the first tenth and at the end
"""
import concurrent.futures
import json
import os
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "integration"))
import common
from federation import Federation

EXPECTED = {"f": 3 * 450, "m": 3 * 450}
SOAK_AT_A_TIME = 4


def ask(federation, member):
    begun = time.monotonic()
    reply = federation.query(member, common.SQL, output="json", timeout=120)
    took = time.monotonic() - begun
    if reply.code != 0:
        return took, str(reply)
    counts = {row[0]: int(row[1]) for row in json.loads(reply.out)["rows"]}
    return took, None if counts == EXPECTED else "a wrong answer: %s" % counts


def ask_many(federation, n, at_a_time):
    with concurrent.futures.ThreadPoolExecutor(at_a_time) as pool:
        futures = [pool.submit(ask, federation, common.MEMBERS[i % len(common.MEMBERS)]) for i in range(n)]
        results = [f.result() for f in futures]
    for _, fault in results:
        if fault is not None:
            sys.exit("a query failed: %s" % fault)
    return sorted(took for took, _ in results)


def resident(federation):
    """Kilobytes by process, from /proc."""
    found = {}
    for name, process in federation.processes.items():
        with open("/proc/%d/status" % process.child.pid) as file:
            found[name] = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
    return found


def show(title, memory):
    print("soak     %s: %s" % (title, ", ".join("%s %.1f MB" % (name, kb / 1024) for name, kb in sorted(memory.items()))), flush=True)


def main():
    if len(sys.argv) not in (2, 3, 4) or sys.argv[1].startswith("-"):
        sys.exit(__doc__.strip())
    concurrent_queries = int(sys.argv[2]) if len(sys.argv) > 2 else 50
    jobs = int(sys.argv[3]) if len(sys.argv) > 3 else 2000
    rows = {name: [["f", 10 + i % 7] if i % 2 else ["m", i % 9] for i in range(900)] for name in common.MEMBERS}
    with tempfile.TemporaryDirectory() as folder:
        with Federation(folder, sys.argv[1], common.members(folder, rows, session_seconds=60)) as federation:
            ask_many(federation, 3, 1)
            begun = time.monotonic()
            times = ask_many(federation, concurrent_queries, concurrent_queries)
            took = time.monotonic() - begun
            print("burst    %d queries at once: all right, %.1f a second, median %.2f s, p99 %.2f s" % (
                concurrent_queries, concurrent_queries / took, statistics.median(times), times[int(0.99 * (len(times) - 1))]), flush=True)
            ask_many(federation, jobs // 10, SOAK_AT_A_TIME)
            show("after %d jobs" % (jobs // 10), resident(federation))
            begun = time.monotonic()
            ask_many(federation, jobs - jobs // 10, SOAK_AT_A_TIME)
            show("after %d jobs, %.1f a second" % (jobs, (jobs - jobs // 10) / (time.monotonic() - begun)), resident(federation))


main()
