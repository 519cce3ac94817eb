"""Random faults at random moments of random jobs: nothing wrong, nothing stuck, nothing left.

Every run: a query, a bench session or a training is submitted, and after a random while one or two faults strike: a process is killed (scheduler, a
node, a session worker), or stopped for a while; a link (between nodes, or to the scheduler) is slowed, stalled, or cut; a node's disk is full.
Then everything is put right again. Shows, for each run: an answer, if there is one, is right; the job is final at every party within the
deadline; afterwards the next query is right, every audit log verifies, and there is no process and no file that should not be.
Would be wrong if: the faults came too late to hit anything (the summary counts jobs that did not end released).

usage: faults.py BIN [RUNS [SEED]]      run N of seed S is the same whenever it is asked for: faults.py BIN 1 S:N"""

import collections
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time

import common
import training
from federation import Federation

FINAL = {"released", "lost", "completed", "aborted", "refused", "cancelled", "expired"}
RIGHT = [["f", "6", "63"], ["m", "3", "30"]]
JOB_SECONDS = 12
SETTLE_SECONDS = 45
TRAINING = {}  # path of the task, and the model it must give
KINDS = ("kill", "kill-worker", "pause", "slow", "stall", "cut", "disk")


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


def wait_for(what, seconds, condition):
    """Asks until condition() gives something; says what did not come."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        expect(time.monotonic() < end, f"{what} within {seconds} s")
        time.sleep(0.3)  # between two questions


def children(pid):
    out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False).stdout
    return [int(word) for word in out.split()]


# ---- faults: each strikes, and gives what puts it right ----


def kill(f, rng):
    name = rng.choice(list(f.processes))
    f.processes[name].signal(signal.SIGKILL)
    f.processes[name].child.wait(10)
    return f"kill {name}", lambda: f.processes[name].running() or f.restart(name)  # killed twice, perhaps


def kill_worker(f, rng):
    name = rng.choice(list(f.members))
    found = children(f.processes[name].pid)
    for pid in found:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return f"kill {len(found)} workers of {name}", lambda: None


def pause(f, rng):
    name, seconds = rng.choice(list(f.processes)), rng.choice((0.1, 0.5, 3))
    process = f.processes[name]
    process.signal(signal.SIGSTOP)
    timer = threading.Timer(seconds, process.signal, [signal.SIGCONT])
    timer.start()

    def resume():
        timer.join()
        process.signal(signal.SIGCONT)

    return f"pause {name} {seconds} s", resume


def a_relay(f, rng):
    name = rng.choice(list(f.members))
    which = rng.choice(("session", "uplink"))
    return f"{which} of {name}", (f.session_relays if which == "session" else f.uplink_relays)[name]


def slow(f, rng):
    where, relay = a_relay(f, rng)
    relay.delay = rng.choice((0.02, 0.1, 0.4))
    return f"{where} slow by {relay.delay} s", relay.heal


def stall(f, rng):
    where, relay = a_relay(f, rng)
    seconds = rng.choice((0.3, 2, 20))
    relay.stalled = True
    timer = threading.Timer(seconds, relay.heal)
    timer.start()

    def heal():
        timer.cancel()
        relay.heal()

    return f"{where} stalled {seconds} s", heal


def cut(f, rng):
    where, relay = a_relay(f, rng)
    relay.refuse = rng.random() < 0.5
    relay.cut()
    return f"{where} cut" + (", closed" if relay.refuse else ""), relay.heal


def disk(f, rng):
    """No file of the node may grow: what a full disk does, without being root."""
    name = rng.choice(list(f.members))
    pid = f.processes[name].pid
    if not f.processes[name].running():
        return f"disk of {name} full while it is down", lambda: None
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1024, before[1]))

    def free():
        if f.processes[name].running() and f.processes[name].pid == pid:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)

    return f"disk of {name} full", free


FAULTS = dict(zip(KINDS, (kill, kill_worker, pause, slow, stall, cut, disk)))

# ---- a run ----


class Submitter(threading.Thread):
    """The analyst: one command, its answer kept."""

    def __init__(self, f, member, kind):
        super().__init__()
        self.f, self.member, self.kind, self.answer = f, member, kind, None

    def run(self):
        words = ["--purpose", "test", "--compute", ",".join(self.f.compute)]
        command = {"bench": ["bench", "mul 20000", *words], "query": ["query", common.SQL, "--format", "csv", *words],
                   "train": ["train", TRAINING["path"], "--json"]}[self.kind]
        self.answer = self.f.parley(self.member, *command, "--timeout", str(JOB_SECONDS), timeout=JOB_SECONDS + SETTLE_SECONDS)


def check_answer(submitter):
    if submitter.answer.code != 0:
        expect((submitter.answer.err + submitter.answer.out).strip(), "a failure without a word")
        return
    if submitter.kind == "bench":
        expect("are right" in submitter.answer.out + submitter.answer.err, f"bench: {submitter.answer}")
    elif submitter.kind == "train":
        wrong = training.differences(json.loads(submitter.answer.out), TRAINING["pooled"])
        expect(not wrong, f"a WRONG model: {wrong}")
    else:
        expect(submitter.answer.rows() == RIGHT, f"a WRONG answer: {submitter.answer}")


def all_final(f):
    for member in f.members:
        listed = f.parley(member, "job", "list", "--json")
        if listed.code != 0:
            return False
        if any(job["state"] not in FINAL for job in json.loads(listed.out)):
            return False
    return True


def put_right(f, undo):
    for step in reversed(undo):  # a disk filled twice is emptied to what it was first
        step()
    for name in ["scheduler", *f.members]:
        if not f.processes[name].running():
            f.restart(name)
    f.wait_online(30)


def check_after(f):
    wait_for("every job is final at every party", SETTLE_SECONDS, lambda: all_final(f))
    answer = f.query("south", common.SQL, timeout=30)
    expect(answer.code == 0 and answer.rows() == RIGHT, f"the next query: {answer}")
    for member in f.members:
        verified = f.parley(member, "audit", "verify")
        expect(verified.code == 0, f"audit of {member}: {verified}")


def only_spares(f):
    """Two waiting workers a node at most, and nothing that has lost its parent."""
    for name in f.members:
        if len(children(f.processes[name].pid)) > 2:
            return False
    return not [line for line in common.processes_under(f.folder) if "parley-worker" in line and f" {f.folder}" not in line]


def files_of(f):
    return sorted(os.path.relpath(os.path.join(where, name), f.folder) for where, _, names in os.walk(f.folder) for name in names)


def one_run(f, seed, number):
    rng = random.Random(f"{seed}:{number}")
    member, kind = rng.choice(list(f.members)), rng.choice(("query", "query", "bench", "train"))
    submitter = Submitter(f, member, kind)
    submitter.start()
    told, undo = [], []
    for _ in range(rng.choice((1, 1, 2))):
        time.sleep(rng.uniform(0, 0.45))  # the moment is the test's, not an event's
        text, step = FAULTS[rng.choice(KINDS)](f, rng)
        told.append(text)
        undo.append(step)
    submitter.join(2 if rng.random() < 0.5 else JOB_SECONDS)
    put_right(f, undo)
    submitter.join(JOB_SECONDS + SETTLE_SECONDS)
    expect(not submitter.is_alive(), "the submitter still waits")
    check_answer(submitter)
    check_after(f)
    wait_for("no worker is left", 10, lambda: only_spares(f))
    code = submitter.answer.code
    print(f"{seed}:{number} {kind} at {member}; {'; '.join(told)}: "
          f"{'released' if code == 0 else 'ended with ' + str(code)}", flush=True)
    return "released" if code == 0 else "ended with its cause"


def with_training(folder, members):
    """Every member has a few rows of the tumours too; the model that a training must give is found once."""
    rows = {name: training.rows_of(name)[:50] for name in members}
    for name, member in members.items():
        path = os.path.join(folder, name + "-tumours.csv")
        training.write_rows(path, rows[name])
        member["datasets"].append(training.dataset(path))
    path, keys = training.task(folder, rounds=15, compute=list(members))
    TRAINING.update(path=path, pooled=training.train([r for part in rows.values() for r in part], keys))
    return members


def main(build_bin, runs=30, seed=None):
    seed = seed or str(random.SystemRandom().randrange(10**6))
    seed, _, first = seed.partition(":")
    print(f"seed {seed}")
    rows = {name: [["f", 10], ["f", 11], ["m", 10]] for name in common.MEMBERS}
    outcomes = collections.Counter()
    with tempfile.TemporaryDirectory(prefix="parley-faults.") as folder:
        with Federation(folder, build_bin, with_training(folder, common.members(folder, rows, session_seconds=10)), relays=True) as f:
            check_after(f)
            before = files_of(f)
            for number in range(int(first or 0), int(first or 0) + runs):
                try:
                    outcomes[one_run(f, seed, number)] += 1
                except AssertionError as wrong:
                    raise AssertionError(f"run {seed}:{number}: {wrong}") from wrong
            new = [name for name in files_of(f) if name not in before and not name.endswith(("-wal", "-shm"))]
            expect(not new, f"files left behind: {new}")
            f.failures.clear()
        left = common.processes_under(folder)
        expect(not left, f"left behind: {left}")
    print(f"{runs} runs of seed {seed}: 0 wrong, 0 stuck, 0 left; " + ", ".join(f"{n} {what}" for what, n in sorted(outcomes.items())))
    expect(runs < 30 or outcomes["ended with its cause"] > 0, "no fault hit anything")


if __name__ == "__main__":
    main(sys.argv[1], *(int(word) for word in sys.argv[2:3]), *sys.argv[3:4])
