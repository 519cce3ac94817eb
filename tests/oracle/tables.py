"""Rows of three owners, made for trouble: NULLs, a group that is empty at some owners and one empty at all, negatives, the ends of the
declared ranges, Chinese names and values. The same rows go into the nodes' CSV files and into PostgreSQL."""

import csv
import random

COLUMNS = [  # name, type in parleyd.yaml, type in PostgreSQL, more keys
    ("region", "text", "text", {"values": ["Tyrol", "Vienna", "维也纳", "nowhere"]}),
    ("sex", "text", "text", {"values": ["female", "male"], "nullable": True}),
    ("age", "integer", "bigint", {"range": ["0", "126"], "values": None, "nullable": True}),
    ("income", "decimal(9,2)", "numeric(9,2)", {"range": ["-1000.00", "9999999.99"], "nullable": True}),
    ("big", "integer", "bigint", {"range": ["-9223372036854775808", "9223372036854775807"]}),
    ("member", "bool", "boolean", {"nullable": True}),
    ("born", "date", "date", {"range": ["1900-01-01", "2026-12-31"], "nullable": True}),
    ("收入", "decimal(12,4)", "numeric(12,4)", {"range": ["-99999999.9999", "99999999.9999"], "nullable": True}),
    ("级别", "integer", "bigint", {"range": ["-1", "1"], "values": ["-1", "0", "1"]}),
]


def configured(path, name="residents", title="residents"):
    columns = []
    for column, kind, _, more in COLUMNS:
        entry = {"name": column, "source": column, "type": kind}
        entry.update({k: v for k, v in more.items() if v is not None})
        columns.append(entry)
    return {"name": name, "title": title, "schema_version": 1, "rows_max": 10000,
            "source": {"csv": path, "encoding": "utf-8"}, "columns": columns}


def rows(seed, n, regions):
    r = random.Random(seed)
    some = lambda values, nulls=0.2: None if r.random() < nulls else r.choice(values)
    cents = lambda low, high, digits: f"{r.randint(low, high) / 10**digits:.{digits}f}"
    return [[r.choice(regions), some(["female", "male"]), some([str(r.randint(0, 126)), "0", "126"]),
             some(["-1000.00", "9999999.99", "0.00", cents(-100000, 999999999, 2)]),
             r.choice(["-9223372036854775808", "9223372036854775807", "0", "-1", str(r.randint(-(10**15), 10**15))]),
             some(["true", "false"]), some(["1950-06-15", "2000-02-29", "2024-01-01"]),
             some(["-99999999.9999", "99999999.9999", "0.0000", cents(-(10**11), 10**11, 4)]),
             r.choice(["-1", "0", "1"])] for _ in range(n)]


MEMBERS = {
    "north": rows(1, 40, ["Tyrol", "Vienna", "维也纳"]),
    "south": rows(2, 25, ["Vienna", "维也纳"]),
    "east": rows(3, 1, ["Tyrol"]),
}
EMPTY = {"north": [], "south": [], "east": []}  # dataset "nobody": no rows anywhere


def write_csv(path, lines):
    with open(path, "w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\r\n")
        out.writerow([c[0] for c in COLUMNS])
        for line in lines:
            out.writerow(["" if v is None else v for v in line])
