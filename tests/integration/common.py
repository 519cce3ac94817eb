"""What the integration suites share: three members with one small table, and checks of what is left behind."""

import csv
import json
import os
import subprocess

MEMBERS = ("north", "south", "east")
SQL = "SELECT sex, COUNT(*) AS n, SUM(amount) AS total FROM residents GROUP BY sex ORDER BY sex"


def write_table(folder, name, rows):
    path = os.path.join(folder, name + ".csv")
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["sex", "amount"])
        writer.writerows(rows)
    return path


def members(folder, tables, session_seconds=15, lanes=2):
    """tables: {member: rows}; two lanes, whatever machine this is."""
    columns = [{"name": "sex", "type": "text", "values": ["f", "m"]},
               {"name": "amount", "type": "integer", "range": ["0", "4611686018427387"]}]
    return {name: {"limits": {"session_seconds": session_seconds, "lanes": lanes},
                   "datasets": [{"name": "residents", "title": "test", "schema_version": 1, "rows_max": 1000,
                                 "source": {"csv": write_table(folder, name, rows)}, "columns": columns}]}
            for name, rows in tables.items()}


def job_states(federation, member):
    listed = federation.parley(member, "job", "list", "--json")
    if listed.code != 0:
        raise AssertionError(f"job list at {member}: {listed}")
    return {job["job_id"]: job for job in json.loads(listed.out)}


def processes_under(folder):
    """Command lines of processes that still run from or about this folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                line = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
            parent = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[1]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if folder in line or ("parley-worker" in line and parent == "1"):
            found.append(f"{pid}: {line}")
    return found
