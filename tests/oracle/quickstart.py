"""Runs examples/quickstart itself (on the programs given) and compares the two tables that it prints with PostgreSQL's answers over the
pooled rows of examples/data; cells of fewer than 10 persons must be missing, and there must be two. No process and no folder
may be left, neither after its end nor after a Ctrl-C in the middle. Runs inside pg_virtualenv."""

import os
import re
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
sys.path[:0] = [HERE]
from oracle import _csv_rows, psql  # noqa: E402

POOL = """
CREATE TABLE residents (rb030 bigint, region text, age bigint, sex text, citizenship text, income numeric(9,2),
                        self_employment numeric(9,2), benefits numeric(9,2));
\\copy residents FROM '{0}/north.csv' WITH (FORMAT csv, HEADER)
\\copy residents FROM '{0}/south.csv' WITH (FORMAT csv, HEADER)
\\copy residents FROM '{0}/east.csv' WITH (FORMAT csv, HEADER)
"""
BY_SEX = "SELECT sex, COUNT(*) AS persons, AVG(income) AS mean_income FROM residents GROUP BY sex ORDER BY sex"
BY_REGION = """SELECT region, citizenship, COUNT(*) AS persons, AVG(income) AS mean_income FROM residents
GROUP BY region, citizenship {} ORDER BY region, citizenship"""


def pooled(sql):
    return [["NULL" if v is None else v for v in row] for row in _csv_rows(psql(f"COPY ({sql}) TO STDOUT WITH (FORMAT csv, HEADER)"))]


def tables(text):
    """Every table printed: its header, then its rows."""
    found, lines = [], text.splitlines()
    for i, line in enumerate(lines):
        if re.fullmatch(r"-{2,}(  -+)+", line):
            rows = [re.split(r" {2,}", lines[i - 1].strip())]
            for row in lines[i + 1:]:
                if row.startswith("("):
                    break
                rows.append(re.split(r" {2,}", row.strip()))
            found.append(rows)
    return found


def leftovers(folder):
    """Processes that work in the folder, and what is left in it."""
    at = [p for p in os.listdir("/proc") if p.isdigit() and _in(p, folder)]
    return at + os.listdir(folder)


def _in(pid, folder):
    try:
        return os.readlink(f"/proc/{pid}/cwd").startswith(folder)
    except OSError:
        return False


def start(folder, build_bin):
    return subprocess.Popen([os.path.join(ROOT, "examples", "quickstart")], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, encoding="utf-8", start_new_session=True,
                            env={**os.environ, "TMPDIR": folder, "PARLEY_BIN": build_bin})


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def interrupted(folder, build_bin):
    """Ctrl-C, as a terminal sends it to the whole group, when the nodes run."""
    run = start(folder, build_bin)
    for line in run.stdout:
        if line.startswith("parleyd ready: org south"):
            os.killpg(run.pid, signal.SIGINT)
            break
    rest = run.communicate(timeout=60)[0]
    check(run.returncode == 130, f"an interrupted quickstart ended with {run.returncode}:\n{rest}")
    check(leftovers(folder) == [], f"left behind after Ctrl-C: {leftovers(folder)}")


def main(build_bin):
    psql(POOL.format(os.path.join(ROOT, "examples", "data")))
    with tempfile.TemporaryDirectory(prefix="parley-example.") as folder:
        run = start(folder, build_bin)
        text = run.communicate(timeout=120)[0]
        check(run.returncode == 0, f"quickstart ended with {run.returncode}:\n{text}")
        check(leftovers(folder) == [], f"left behind: {leftovers(folder)}")
        shown = tables(text)
        check(len(shown) >= 2, f"tables in:\n{text}")
        check(shown[0] == pooled(BY_SEX), f"by sex: {shown[0]}\nPostgreSQL: {pooled(BY_SEX)}")
        fit = pooled(BY_REGION.format("HAVING COUNT(*) >= 10"))
        check(len(pooled(BY_REGION.format(""))) == len(fit) + 2, "two cells are small")
        check(shown[1] == fit, f"by region: {shown[1]}\nPostgreSQL: {fit}")
        check("2 of 36 cells withheld" in text, "the withheld cells are counted")
        check(all(f"{org}: valid" in text for org in ("north", "south", "east")), "three signatures")
        interrupted(folder, build_bin)
    print("quickstart: its numbers are PostgreSQL's, and nothing is left behind")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
