"""kill -9 of a worker, a node or the scheduler at named points, before and after OPENING.

Shows: before OPENING a job ends aborted and costs nothing; after it the recipient's state is released or lost, never open; the cause is
at the submitter within the deadline; what was restarted answers the next question; no process is left.
Would be wrong if: the stop points were not reached (the test then sees a released job where it must not)."""

import resource
import signal
import sys
import tempfile
import time

import common
from federation import Federation

FINAL = {"released", "lost", "completed", "aborted", "refused", "cancelled", "expired"}
BEFORE = ("start", "connected", "inputs", "before-opening")
# One node dies before its OPENING is on disk, the others may have written theirs: each is right for itself, none is released.
BETWEEN = ("daemon-before-opening",)
AFTER = ("daemon-after-opening", "opening-recorded", "after-opening", "end", "daemon-before-end")
DEADLINE_SECONDS = 60


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


def expect_answer(f, when):
    answer = f.query("north", common.SQL)
    expect(answer.code == 0, f"{when}: the next query fails: {answer}")
    expect(answer.rows() == [["f", "6", "63"], ["m", "3", "30"]], f"{when}: wrong answer: {answer}")


def restart(f, name, point=None):
    if f.processes[name].running():
        f.processes[name].signal(signal.SIGTERM)
        f.processes[name].child.wait(10)
    f.environment = {"PARLEY_STOP_AT": point} if point else {}
    f.restart(name)
    f.environment = {}
    f.wait_online()


def settled(f, member, job_id):
    """The job's final state at a member: waits by asking, until the deadline."""
    end = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < end:
        job = common.job_states(f, member).get(job_id)
        if job is not None and job["state"] in FINAL:
            return job
        time.sleep(0.4)  # between two questions, not for an event that has a signal
    raise AssertionError(f"{member}: job {job_id} is {job and job['state']} after {DEADLINE_SECONDS} s")


def try_point(f, victim, point):
    known = set(common.job_states(f, "north")) if victim != "north" else set()
    restart(f, victim, point)
    known = set(common.job_states(f, "north"))
    began = time.monotonic()
    answer = f.query("north", common.SQL)
    took = time.monotonic() - began
    expect(took < DEADLINE_SECONDS, f"{point} at {victim}: the submitter waited {took:.0f} s")
    restart(f, victim)
    new = set(common.job_states(f, "north")) - known
    expect(len(new) == 1, f"{point} at {victim}: {len(new)} new jobs at north")
    job = settled(f, "north", new.pop())
    if point in BEFORE:
        expect(answer.code != 0 and job["state"] == "aborted", f"{point} at {victim}: north says {job['state']}: {job['reason']}")
    elif point in BETWEEN:
        expect(answer.code != 0 and job["state"] in ("aborted", "lost"), f"{point} at {victim}: north says {job['state']}: {job['reason']}")
    else:
        expect(job["state"] in ("released", "lost"), f"{point} at {victim}: north says {job['state']}: {job['reason']}")
    for member in ("south", "east"):
        other = settled(f, member, job["job_id"])
        allowed = ("aborted",) if point in BEFORE else ("completed", "aborted")
        expect(other["state"] in allowed, f"{point} at {victim}: {member} says {other['state']}: {other['reason']}")
    expect_answer(f, f"{point} at {victim}")
    print(f"{point:22} at {victim:6} north: {job['state']}, {took:.1f} s; {job['reason']}")


def scheduler_restart(f):
    f.kill("scheduler")
    waiting = f.parley("north", "query", common.SQL, "--purpose", "test", "--detach", "--timeout", "60")
    expect(waiting.code == 0, f"a job is not accepted while the scheduler is down: {waiting}")
    f.restart("scheduler")
    f.wait_online()
    job = settled(f, "north", waiting.out.strip())
    expect(job["state"] == "released", f"after the scheduler's return: {job['state']}: {job['reason']}")
    print("scheduler killed, job submitted without it, released after its return")


def node_down(f):
    f.kill("east")
    job_id = f.parley("north", "query", common.SQL, "--purpose", "test", "--detach", "--timeout", "60").out.strip()
    end, reason = time.monotonic() + 20, ""
    while time.monotonic() < end and "east" not in reason:
        reason = common.job_states(f, "north")[job_id]["reason"]
        time.sleep(0.4)  # between two questions
    expect("east" in reason, f"a job that waits for a node that is down says: {reason}")
    f.restart("east")
    expect(settled(f, "north", job_id)["state"] == "released", "the job did not go on when its node came back")
    print(f"node down: {reason}; released after its return")


def disk_full(f, victim):
    """A node that cannot write how its session ended says so when it can write again: no job runs for ever."""
    job_id = f.parley("north", "bench", "mul 1000000", "--purpose", "test", "--detach", "--timeout", "60").out.strip()
    end = time.monotonic() + 20
    while common.job_states(f, victim).get(job_id, {}).get("state") != "running":
        expect(time.monotonic() < end, "the bench session does not start")
        time.sleep(0.02)  # between two questions
    pid = f.processes[victim].pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1024, before[1]))
    others = [settled(f, member, job_id) for member in f.members if member != victim]
    time.sleep(2)  # the victim's worker has ended meanwhile
    expect(common.job_states(f, victim)[job_id]["state"] not in FINAL, "the full disk came too late")
    refused = f.query(victim, common.SQL, timeout=20)
    expect(refused.code != 0 and "write" in refused.err, f"a question to {victim}, whose disk is full: {refused}")
    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    job = settled(f, victim, job_id)
    expect(job["state"] in ("aborted", "lost", "completed"), f"disk of {victim} full: {job}")
    expect_answer(f, f"disk of {victim} full")
    print(f"disk of {victim} full during a session: {job['state']}: {job['reason']}; elsewhere {others[0]['state']}")


def main(build_bin):
    rows = {"north": [["f", 10], ["f", 11], ["m", 10]], "south": [["f", 10], ["f", 11], ["m", 10]],
            "east": [["f", 10], ["f", 11], ["m", 10]]}
    with tempfile.TemporaryDirectory(prefix="parley-kills.") as folder:
        with Federation(folder, build_bin, common.members(folder, rows)) as f:
            expect_answer(f, "at first")
            for victim in ("south", "north"):
                for point in BEFORE + BETWEEN + AFTER:
                    try_point(f, victim, point)
            scheduler_restart(f)
            node_down(f)
            disk_full(f, "south")
            disk_full(f, "north")
            f.failures.clear()
        left = common.processes_under(folder)
        expect(not left, f"left behind: {left}")


if __name__ == "__main__":
    main(sys.argv[1])
