"""Every query of queries.sql, answered by three nodes (k = 0), must give the rows that PostgreSQL gives on the pooled rows: names of
columns, values to the digit, NULLs, and the order where the query asks for one. Runs inside pg_virtualenv. It would be wrong if it
compared nothing: it fails below 40 queries. A line that begins with ~ gives double precision: equal within 1e-9."""

import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "integration")]
import tables  # noqa: E402
from federation import Federation, _csv_rows  # noqa: E402

QUERIES_MIN = 40


def psql(text):
    done = subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1"], input=text, capture_output=True, encoding="utf-8",
                          check=False, env={**os.environ, "PGCLIENTENCODING": "UTF8"})
    if done.returncode != 0:
        raise RuntimeError("psql: " + done.stderr)
    return done.stdout


def literal(value):
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


def load(datasets):
    """A schema per member, and a view over all of them under the bare name."""
    columns = ", ".join(f'"{name}" {kind}' for name, _, kind, _ in tables.COLUMNS)
    text = "".join(f"CREATE SCHEMA {member};\n" for member in tables.MEMBERS)
    for name, owners in datasets.items():
        for member, lines in owners.items():
            text += f"CREATE TABLE {member}.{name} ({columns});\n"
            for line in lines:
                text += f"INSERT INTO {member}.{name} VALUES ({', '.join(map(literal, line))});\n"
        union = " UNION ALL ".join(f"SELECT * FROM {member}.{name}" for member in owners)
        text += f"CREATE VIEW public.{name} AS {union};\n"
    psql(text)


def is_near(got, expected):
    """Equal, or two numbers of double precision within 1e-9 of the larger (near 0: within 1e-9)."""
    if got == expected:
        return True
    try:
        a, b = float(got), float(expected)
    except (TypeError, ValueError):
        return False
    return abs(a - b) <= 1e-9 * max(abs(a), abs(b), 1)


def compare(sql, expected, answer, near=False):
    """None, or what is different."""
    if answer.code != 0:
        return f"parley ended with {answer}"
    got = _csv_rows(answer.out)
    if got[:1] != expected[:1]:
        return f"columns {got[:1]}, PostgreSQL {expected[:1]}"
    got, expected = got[1:], expected[1:]
    if not re.search(r"\border by\b", sql, re.IGNORECASE):
        key = lambda row: [(v is None, v or "") for v in row]
        got, expected = sorted(got, key=key), sorted(expected, key=key)
    if near and len(got) == len(expected) and all(len(a) == len(b) and all(map(is_near, a, b)) for a, b in zip(got, expected)):
        return None
    return None if got == expected else f"rows\n    parley      {got}\n    PostgreSQL  {expected}"


def main(build_bin):
    with open(os.path.join(HERE, "queries.sql"), encoding="utf-8") as file:
        queries = [line.strip() for line in file if line.strip() and not line.startswith("--")]
    datasets = {"residents": tables.MEMBERS, "nobody": tables.EMPTY}
    load(datasets)
    wrong, asked = [], 0
    with tempfile.TemporaryDirectory(prefix="parley-oracle.") as folder:
        members = {m: {"datasets": []} for m in tables.MEMBERS}
        for name, owners in datasets.items():
            for member, lines in owners.items():
                path = os.path.join(folder, f"{member}-{name}.csv")
                tables.write_csv(path, lines)
                members[member]["datasets"].append(tables.configured(path, name, name))
        begin = time.monotonic()
        with Federation(folder, build_bin, members) as federation:
            for i, sql in enumerate(queries):
                near, sql = sql.startswith("~ "), sql.removeprefix("~ ")
                expected = _csv_rows(psql(f"COPY ({sql}) TO STDOUT WITH (FORMAT csv, HEADER)"))
                fault = compare(sql, expected, federation.query(list(members)[i % 3], sql), near)
                asked += 1
                if fault:
                    wrong.append(sql)
                    print(f"not equal: {sql}\n  {fault}", flush=True)
                if len(wrong) > 10:
                    break
            if wrong:
                print(federation.logs(15))
    print(f"oracle: {asked - len(wrong)} of {asked} queries equal PostgreSQL's answers, {time.monotonic() - begin:.1f} s")
    return 0 if not wrong and asked >= QUERIES_MIN else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
