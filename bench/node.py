#!/usr/bin/env python3
"""bench/node.py BIN: what a node costs and how long a question takes, measured on this machine.

Starts three nodes and a scheduler on loopback (tests/integration/federation.py) with the programs in BIN, a release build, and prints
  idle       resident memory of parleyd after start, and the time until it answers `parley status`
  query      a warm query from end to end, as an analyst sees it: the start of `parley query` to its end. "alone": half a second apart,
             "back to back": one after the other
  session    the `bench` session between the nodes: multiplications of shared 64-bit elements a second, over the session links, best of 3,
             beside the limit that parley-bench measures in the same minute (the same bytes through the same TLS and nothing else)
Nothing is estimated; every answer is compared with the right one.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "integration"))
import common
from federation import Federation

QUERIES = 21
SIZES = (1_000_000, 10_000_000)
EXPECTED = {"f": 3 * 450, "m": 3 * 450}


def milliseconds(values):
    return "median %.0f ms, fastest %.0f, slowest %.0f, of %d" % (
        1e3 * statistics.median(values), 1e3 * min(values), 1e3 * max(values), len(values))


def ask(federation):
    begun = time.monotonic()
    reply = federation.query("north", common.SQL, output="json")
    took = time.monotonic() - begun
    if reply.code != 0:
        sys.exit("the query failed: %s" % reply)
    counts = {row[0]: int(row[1]) for row in json.loads(reply.out)["rows"]}
    if counts != EXPECTED:
        sys.exit("a wrong answer: %s" % counts)
    return took


def queries(federation, pause):
    times = []
    for _ in range(QUERIES):
        time.sleep(pause)
        times.append(ask(federation))
    return times


def session(federation, n):
    reply = federation.parley("north", "bench", "mul %d" % n, "--purpose", "test", "--compute", "north,south,east",
                              "--timeout", "120", "--json", timeout=150)
    if reply.code != 0:
        sys.exit("the bench session failed: %s" % reply)
    row = json.loads(reply.out)["rows"][0]
    return float(row[4]), int(row[6])


def limit(bin_folder, n, lanes):
    done = subprocess.run([os.path.join(bin_folder, "parley-bench"), "run", "limit", "--n", str(n), "--lanes", str(lanes), "--format", "json"],
                          capture_output=True, text=True, timeout=120, check=True)
    return json.loads(done.stdout)["seconds_min"]


def start_up(federation):
    federation.kill("south")
    begun = time.monotonic()
    federation.restart("south")
    return time.monotonic() - begun


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__.strip())
    rows = {name: [["f", 10 + i % 7] if i % 2 else ["m", i % 9] for i in range(900)] for name in common.MEMBERS}
    with tempfile.TemporaryDirectory() as folder:
        with Federation(folder, sys.argv[1], common.members(folder, rows, session_seconds=120)) as federation:
            status = json.loads(federation.parley("north", "status", "--json").out)
            print("idle      %.1f MB resident" % (status["rss_bytes"] / 1e6))
            for _ in range(3):
                ask(federation)  # warm
            print("query     alone: %s" % milliseconds(queries(federation, 0.5)))
            print("query     back to back: %s" % milliseconds(queries(federation, 0)))
            for n in SIZES:
                best, lanes = min(session(federation, n) for _ in range(3))
                least = limit(sys.argv[1], n, lanes)
                print("session   mul %d, lanes %d: %.3f s, %.1f M a second; limit %.3f s; %.2f of the limit" % (
                    n, lanes, best, n / best / 1e6, least, least / best))
            print("idle      %.0f ms from the start of parleyd to its first answer" % (1e3 * start_up(federation)))


main()
