"""The command line against real nodes and without any: what a person and a script see. Approval by a person, refusal with a reason, bound
to what was shown; cancel; the result again; a receipt that was changed; the audit log of each step; exit codes."""

import json
import re
import os
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE]
from federation import Federation  # noqa: E402

NAMES = {"north": "北京, \"东\"", "south": "南京", "east": "east"}


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def fails(answer, code, *words):
    """Ends with the code, prints nothing on stdout, and one `parley: ` line that has all the words."""
    line = answer.err.splitlines()[0] if answer.err else ""
    check(answer.code == code and answer.out == "" and line.startswith("parley: "), f"expected exit code {code}: {answer}")
    check(all(w in answer.err for w in words), f"expected {words}: {answer}")


def dataset(folder, member):
    path = os.path.join(folder, member + ".csv")
    with open(path, "w", encoding="utf-8") as file:
        value = NAMES[member].replace('"', '""')
        file.write(f'where,n\n"{value}",1\n"{value}",\n')
    return {"name": "t", "title": "t", "schema_version": 1, "rows_max": 100, "source": {"csv": path, "encoding": "utf-8"},
            "columns": [{"name": "where", "source": "where", "type": "text", "values": list(NAMES.values())},
                        {"name": "n", "source": "n", "type": "integer", "range": ["0", "9"], "nullable": True}]}


def test_without_node(f):
    check(f.parley(None, "--version").out.startswith("parley 0."), "the version")
    check("official-statistics" in f.parley(None, "--help").out, "help has an example")
    for command in ("query", "job show", "approval grant", "receipt verify", "org create", "federation create", "policy sign"):
        shown = f.parley(None, *command.split(), "--help")
        check(shown.code == 0 and "usage: parley " + command in shown.out, f"help of {command}: {shown}")
    with open("/dev/full", "w", encoding="utf-8") as full:
        for words in (["--version"], ["--help"], ["query", "--help"]):
            done = subprocess.run([os.path.join(f.bin, "parley"), *words], stdout=full, stderr=subprocess.PIPE, encoding="utf-8", check=False)
            check(done.returncode == 17 and "cannot write the output: No space" in done.stderr, f"{words} to a full disk: {done}")
    fails(f.parley(None, "quary"), 2, 'no command "quary"')
    fails(f.parley(None, "job"), 2, "parley job list")
    fails(f.parley(None, "query", "SELECT 1", "--node", "/nonexistent"), 11, "/nonexistent/analyst.sock", "parleyd")
    fails(f.parley(None, "query", "SELECT 1", "--formt", "csv", "--node", "x"), 2, "--formt")
    fails(f.parley(None, "federation", "show", f.path("north.csv")), 2, "north.csv")
    shown = json.loads(f.parley(None, "federation", "show", f.path("federation.manifest"), "--json").out)
    check(shown["threshold"] == 3 and all(m["signed"] for m in shown["members"]), f"the manifest: {shown}")


def test_formats(f):
    sql = 'SELECT "where", COUNT(n) AS "数", SUM(n) FROM t GROUP BY "where"'
    answer = f.query("north", sql)
    check(answer.code == 0 and answer.out.splitlines()[1] == '"北京, ""东""",1,1', f"csv: {answer}")
    table = f.query("north", sql, output="table").out.splitlines()
    check(table[0].startswith("where") and table[2].startswith('北京, "东"'), f"table: {table}")
    wide = lambda s: sum(2 if ord(c) > 0x2E80 else 1 for c in s)
    check(len({wide(line) for line in table[1:5]}) == 1, f"columns stand under each other: {table}")
    shown = json.loads(f.query("north", sql, output="json").out)
    check(shown["columns"][1] == {"name": "数", "type": "bigint"} and shown["rows"][0][1] == "1", f"json: {shown}")


def submit(f, sql="SELECT COUNT(*) FROM t", *options):
    answer = f.query("north", sql, options=("--detach", *options))
    check(answer.code == 0 and len(answer.out.strip()) == 32, f"detached: {answer}")
    return answer.out.strip()


def wait_approval(f, member, job):
    """The item, once the proposal has come; `approval show` fails until then. Each try is a process, and 200 are the limit."""
    for _ in range(200):
        answer = f.parley(member, "approval", "show", job, "--json")
        if answer.code == 0:
            return json.loads(answer.out)
    raise AssertionError(f"{member} never saw {job}: {answer}")


def watch_end(f, member, job):
    for _ in range(400):
        shown = json.loads(f.parley(member, "job", "show", job, "--json").out)
        if shown["is_final"]:
            return shown
    raise AssertionError(f"the job did not end: {shown}")


def uses_left(text):
    return int(re.search(r"(\d+) of 50 uses left", text).group(1))


def test_approval(f):
    job = submit(f)
    wait_approval(f, "south", job)
    waiting = f.parley("south", "approval", "list")
    check(job[:12] in waiting.out, f"the list of what waits: {waiting}")
    text = f.parley("south", "approval", "show", job)
    check("COUNT(*)" in text.out and "north" in text.out, f"what is to be decided: {text}")
    check("your policy     version " in text.out and "no expiry" in text.out and "you decide " in text.out, f"beside the policy: {text}")
    left = uses_left(text.out)
    granted = f.parley("south", "approval", "grant", job[:8])
    check(granted.code == 0, f"grant: {granted}")
    check(watch_end(f, "north", job)["state"] == "released", "a granted job runs")
    check(uses_left(f.parley("south", "approval", "show", job).out) == left - 1, "a use is charged when values are opened")
    again = f.parley("north", "job", "result", job, "--format", "csv")
    check(again.out == "count\n6\n", f"the result again: {again}")
    fails(f.parley("south", "job", "result", job), 8)
    return job


def test_refusal(f):
    job = submit(f)
    wait_approval(f, "south", job)
    refused = f.parley("south", "approval", "refuse", job, "--reason", "not this year")
    check(refused.code == 0, f"refuse: {refused}")
    end = watch_end(f, "north", job)
    check(end["state"] == "refused" and "not this year" in end["reason"], f"the asker sees who and why: {end}")
    audit = f.parley("south", "audit", "show", "--job", job)
    check("approval.refuse" in audit.out, f"audited: {audit}")
    check(f.parley("south", "approval", "grant", job).code != 0, "a decision is final")


def test_cancel(f):
    job = submit(f)
    wait_approval(f, "south", job)
    check(f.parley("north", "job", "cancel", job).code == 0, "cancel")
    check(watch_end(f, "north", job)["state"] == "cancelled", "cancelled at the asker")
    check(watch_end(f, "south", job)["state"] in ("cancelled", "aborted"), "and at the approver")


def test_quota(f):
    """Three unfinished jobs are north's own quota, two its quota at south."""
    f.kill("scheduler")  # so that none can finish
    jobs = [submit(f) for _ in range(3)]
    one_more = f.parley("north", "query", "SELECT COUNT(*) FROM residents", "--purpose", "test", "--detach")
    check(one_more.code == 9 and "north has 3 unfinished jobs at north, its quota" in one_more.err, f"own quota: {one_more}")
    f.restart("scheduler")
    f.wait_online()
    for job in jobs[:2]:
        wait_approval(f, "south", job)
    end = watch_end(f, "north", jobs[2])
    check(end["state"] == "refused" and "north has 2 unfinished jobs at south, its quota" in end["reason"], f"quota at south: {end}")
    for job in jobs[:2]:
        check(f.parley("north", "job", "cancel", job).code == 0, "cancel")


def test_interrupt(f):
    """Ctrl-C while the approver thinks: the asker's job is cancelled everywhere."""
    run = subprocess.Popen([os.path.join(f.bin, "parley"), "query", "--file", "-", "--purpose", "test"], stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
                           env={**os.environ, "PARLEY_NODE": f.path("north", "run")})
    run.stdin.write("SELECT COUNT(*), COUNT(n) FROM t")
    run.stdin.close()
    run.stdin = None
    try:
        for _ in range(200):
            waiting = json.loads(f.parley("south", "approval", "list", "--json").out)
            if waiting:
                break
        check(len(waiting) == 1, f"one job waits: {waiting}")
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=30)
    finally:
        run.kill()
        run.wait()
    check(run.returncode == 13 and out == "" and "was cancelled" in err, f"Ctrl-C: {run.returncode} {out} {err}")
    check(watch_end(f, "north", waiting[0]["job_id"])["state"] == "cancelled", "cancelled by Ctrl-C")


def test_receipt(f, job):
    path = f.path("receipt.pb")
    for _ in range(100):  # the last signature may be on its way
        check(f.parley("north", "receipt", "get", job, "-o", path).code == 0, "receipt get")
        verified = f.parley(None, "receipt", "verify", path, "--manifest", f.path("federation.manifest"))
        if verified.code == 0:
            break
    check(verified.code == 0 and verified.out.count(": valid") == 3, f"receipt: {verified}")
    unpinned = f.parley(None, "receipt", "verify", path)
    check(unpinned.code == 0 and "--manifest" in unpinned.err, f"without one's own manifest it warns: {unpinned}")
    with open(path, "rb") as file:
        good = file.read()
    at = good.index(b"COUNT(*)")
    with open(path, "wb") as file:
        file.write(good[:at] + b"COUNT(?)" + good[at + 8:])
    changed = f.parley(None, "receipt", "verify", path, "--manifest", f.path("federation.manifest"))
    check(changed.code != 0 and ": valid" not in changed.out, f"a changed receipt: {changed}")
    with open(path, "wb") as file:
        file.write(good[:len(good) // 2])
    cut = f.parley(None, "receipt", "verify", path, "--manifest", f.path("federation.manifest"))
    fails(cut, 16, "receipt.pb")


def test_views(f):
    catalog = json.loads(f.parley("east", "catalog", "--json").out)
    check({c["org"] for c in catalog} == set(NAMES) and all(c["online"] for c in catalog), f"catalogue: {catalog}")
    check(not any("csv" in json.dumps(c) for c in catalog), "no path of a source is published")
    for member in NAMES:
        verdict = f.parley(member, "audit", "verify", "--json")
        check(verdict.code == 0 and json.loads(verdict.out)["ok"], f"audit of {member}: {verdict}")
    fails(f.query("north", "SELECT COUNT(*) FROM nothing"), 4, "nothing")
    fails(f.query("north", "SELECT COUNT(*) FROM t", purpose="marketing"), 6, "marketing")
    fails(f.parley("north", "job", "show", "ffffff"), 4, "ffffff")
    for task in ("mul 1000", "sort 300"):
        done = f.parley("north", "bench", task, "--purpose", "test", "--compute", "north,south,east")
        check(done.code == 0 and task.split()[0] in done.out, f"bench: {done}")
    fails(f.parley("north", "bench", "dance 7", "--purpose", "test"), 2, "'dance' is not known", "parley-bench list")
    fails(f.parley("north", "bench", "mul 1e6", "--purpose", "test"), 2, "not '1e6'")
    fails(f.parley("north", "bench", "mul 1000 extra", "--purpose", "test"), 2, "'extra' is too much")


def main(build_bin):
    with tempfile.TemporaryDirectory(prefix="parley-cli.") as folder:
        members = {m: {"datasets": [dataset(folder, m)]} for m in NAMES}
        members["north"]["limits"] = {"member_jobs": 3}
        members["south"]["limits"] = {"member_jobs": 2}
        with Federation(folder, build_bin, members, command_leaks=True) as f:
            test_without_node(f)
            test_formats(f)
            test_views(f)
        # The southern office asks its approver from now on: policy version 2.
        members["south"].update(approval="ask", uses=50)
        members["south"]["policy"] = {"policy": 2}
        f._write("south-policy.yaml", f._policy("south", members["south"]))
        f.sign_policy("south")
        with f.started():
            job = test_approval(f)
            test_refusal(f)
            test_cancel(f)
            test_quota(f)
            test_interrupt(f)
            test_receipt(f, job)
    print("cli: all as it should be")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
