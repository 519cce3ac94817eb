"""A result larger than a gRPC message (4 MiB) arrives whole: as CSV from the query, and again from `job result`, at a recipient whose pieces
are fetched one by one. Would be wrong if the table were small: its size is asserted.

usage: test_large.py BIN"""

import csv
import io
import os
import sys
import tempfile

import common
from federation import Federation

SIDE = 250  # SIDE x SIDE cells, a row in each
SQL = "SELECT place, trade, COUNT(*) AS n, SUM(amount) AS total FROM firms GROUP BY place, trade"


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


def value(kind, i):
    return f"{kind} number {i:03} of all those that there are"


def members(folder):
    """Cell (i, j) belongs to one member each, with the amount i * SIDE + j."""
    places, trades = ([value(kind, i) for i in range(SIDE)] for kind in ("place", "trade"))
    columns = [{"name": "place", "type": "text", "values": places}, {"name": "trade", "type": "text", "values": trades},
               {"name": "amount", "type": "integer", "range": ["0", "1000000"]}]
    out = {}
    for m, name in enumerate(common.MEMBERS):
        path = os.path.join(folder, name + ".csv")
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["place", "trade", "amount"])
            writer.writerows([places[i], trades[j], i * SIDE + j] for i in range(SIDE) for j in range(SIDE) if (i + j) % 3 == m)
        out[name] = {"limits": {"session_seconds": 60},
                     "datasets": [{"name": "firms", "title": "test", "schema_version": 1, "rows_max": 100000, "source": {"csv": path},
                                   "columns": columns}]}
    return out


def main(build_bin):
    wanted = sorted([value("place", i), value("trade", j), "1", str(i * SIDE + j)] for i in range(SIDE) for j in range(SIDE))
    with tempfile.TemporaryDirectory(prefix="parley-large.") as folder:
        with Federation(folder, build_bin, members(folder)) as f:
            answer = f.query("north", SQL, timeout=90)
            expect(answer.code == 0, f"the query: {answer.err[-500:]}")
            expect(len(answer.out) > 5 << 20, f"only {len(answer.out)} bytes: no test")
            expect(sorted(list(csv.reader(io.StringIO(answer.out)))[1:]) == wanted, "the rows are not those of the members")
            job = list(common.job_states(f, "north"))[0]
            again = f.parley("north", "job", "result", job, "--format", "csv")
            expect(again.out == answer.out, "the result, fetched again, is another")
            print(f"{len(wanted)} rows, {len(answer.out) / (1 << 20):.1f} MiB")


if __name__ == "__main__":
    main(sys.argv[1])
