"""A hostile scheduler, and members that collude with it: every honest node refuses, names what is wrong, and writes it into its audit log.

Three federations. In the first the scheduler itself is hostile (parley-hostile-scheduler): it flips, misattributes, redirects, relabels, drops,
repeats and replays each kind of message, lies about members, and says words of its own. In the second the proposer colludes, in the third
another party: parley-hostile-node alters each field of a proposal, an approval, a reservation, a charter in turn and signs the result with the
member's own valid key, for all receivers or for one of them (a split view). After each attack no honest node may have opened anything, each
must have an audit record that refuses, and an honest question must be answered right.
Would be wrong if: an attack was not carried out (each program writes what it did, and the test demands it), or if any text passed for a name:
the record must name the document or the field.

usage: hostile.py BIN HOSTILE_NODE HOSTILE_SCHEDULER [--all]      --all: every change of every field, not one per field"""

import json
import os
import re
import shutil
import sys
import tempfile
import time

import common
from federation import Federation

RIGHT = [["f", "6", "63"], ["m", "3", "30"]]
OPENED = {"opening", "released", "completed", "lost"}
WAIT_SECONDS = 12
# A charter of another time is as valid; but nobody else holds it, and a session needs equal ones.
ANOTHER_CHARTER = {"created_at", "start_before"}
# What a member says of itself under its own signature is its word: it may cost the session, it never makes a wrong one. So is what it says of its
# audit log (audit_head, audit_links, ...): proofs that nobody needs may be left out; what happens to wrong ones is shown by audit_attacks.py.
OWN_WORDS = {"approval": {"approver", "policy_version", "policy_digest", "decided_at", "not_after"},
             "reservation": {"memory_bytes", "reserved_at", "not_after", "endpoints", "lanes"}}
# Alone, these make a proposal that is merely another one: honest nodes may approve it, as what it is. That no session comes of it is checked.
ANOTHER_PROPOSAL = {"job_id", "submitter", "created_at", "not_after", "session_seconds"}


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


def wait_for(what, condition, seconds=WAIT_SECONDS):
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        expect(time.monotonic() < end, f"{what}: not within {seconds} s")
        time.sleep(0.2)  # between two looks


class Audit:
    """The audit records of a node from a moment on."""

    def __init__(self, f, member):
        self.f, self.member = f, member
        self.start = len(self._all(0))

    def _all(self, start):
        shown = self.f.parley(self.member, "audit", "show", "--from", str(start), "--json")
        expect(shown.code == 0, f"audit show at {self.member}: {shown}")
        return [json.loads(line) for line in shown.out.splitlines() if line]

    def records(self):
        return self._all(self.start)

    def refusals(self):
        return [r for r in self.records() if r["result"].lower() != "ok"]


def states(f, member, known):
    return {job: what["state"] for job, what in common.job_states(f, member).items() if job not in known}


def clean(text):
    expect(not re.search(r"[\x00-\x08\x0b-\x1f]", text), f"a control character in {text!r}")
    return text


class Attacks:
    def __init__(self, f, orders, honest, proposer):
        self.f, self.orders, self.honest, self.proposer = f, orders, honest, proposer
        self.n, self.known = 0, {}

    def order(self, line):
        if os.path.exists(self.orders + ".done"):
            os.remove(self.orders + ".done")
        with open(self.orders + ".new", "w", encoding="utf-8") as file:
            file.write(line + "\n")
        os.replace(self.orders + ".new", self.orders)

    def done(self):
        try:
            with open(self.orders + ".done", encoding="utf-8", errors="replace") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def peace(self):
        if os.path.exists(self.orders):
            os.remove(self.orders)

    def submit(self):
        answer = self.f.parley(self.proposer, "query", common.SQL, "--purpose", "test", "--compute", ",".join(self.f.compute),
                               "--detach", "--timeout", "60")
        expect(answer.code == 0, f"submit: {answer}")
        return answer.out.strip()

    def expect_answer(self, when):
        self.peace()
        self.known = {}
        answer = self.f.query(self.honest[0], common.SQL, timeout=40)
        expect(answer.code == 0 and answer.rows() == RIGHT, f"an honest question after {when}: {answer}")

    def nothing_opened(self, known, what):
        self.known = {}
        for member in self.honest:
            new = states(self.f, member, known[member])
            for job, state in new.items():
                expect(state not in OPENED, f"{what}: {member} has job {job} {state}")
            self.known[member] = known[member] | set(new)

    def strike(self, line, names, at, patient=False):
        """One attack on one job. names: what a refusal must name, one of them; at: the honest nodes that must refuse; patient: the job may also
        end well, if every refusal names it."""
        known = self.known or {member: set(common.job_states(self.f, member)) for member in self.honest}
        audits = {member: Audit(self.f, member) for member in self.honest}
        self.order(line)
        job = self.submit()
        wait_for(f"{line}: carried out", self.done)

        def refused_by(member):
            return [clean(r["content"]) for r in audits[member].refusals() if any(name in r["content"] for name in names)]

        said = {}
        for member in at:
            said[member] = wait_for(f"{line}: a refusal of {member} that names {' or '.join(names)}: {audits[member].refusals()}",
                                    lambda member=member: refused_by(member))[0]
        what = " ".join(self.done()[:1])
        if patient:
            self.known = {}
        else:
            self.nothing_opened(known, what)
        self.peace()
        self.f.parley(self.proposer, "job", "cancel", job)
        self.n += 1
        for member in at:
            print(f"{what:44} {member:6} {said[member][:150]}", flush=True)


# ---- the scheduler alone ----


def hostile_scheduler(folder, build_bin, program):
    orders = os.path.join(folder, "orders")
    rows = {name: [["f", 10], ["f", 11], ["m", 10]] for name in common.MEMBERS}
    with Federation(folder, build_bin, common.members(folder, rows, session_seconds=6), programs={"scheduler": program},
                    environment={"PARLEY_HOSTILE_ORDERS": orders}) as f:
        a = Attacks(f, orders, list(common.MEMBERS), "north")
        a.expect_answer("nothing")
        others, proposer = ["south", "east"], ["north"]
        receivers = {"proposal": others, "approval": proposer, "reservation": proposer, "charter": others, "receipt": ["north"]}
        for kind, at in receivers.items():
            patient = kind == "receipt"
            a.strike(f"flip {kind}", ["envelope", "sealed", "relay"], at, patient)
            a.strike(f"kind {kind}", ["proposal", "approval", "reservation", "charter", "receipt", "abort"], at, patient)
            if kind not in ("proposal", "receipt"):
                a.strike(f"replay {kind}", [kind, "job", "session"], at[:1], True)
            a.strike(f"giant {kind}", ["envelope", "sealed", "relay", "too large"], at[:1], True)
        for kind in ("proposal", "approval", "charter"):
            a.strike(f"from {kind}", ["envelope", "sealed", "sender"], receivers[kind][:1])
        a.expect_answer("altered messages")
        for what, named in (("descriptor", "descriptor"), ("dataset", "dataset"), ("stranger", "member"), ("swapped", "descriptor")):
            a.strike(f"peer {what}", [named], ["south"] if what != "swapped" else ["south"], True)
        a.expect_answer("lies about members")
        for what in ("reserve", "release"):
            a.strike(f"hint {what}", ["scheduler", "job"], ["south"], True) if what == "reserve" else hints(a, what)
        for what in ("job", "ended", "error"):
            hints(a, what)
        for kind in ("proposal", "approval", "reservation", "charter", "receipt"):
            drop(a, kind)
        for kind in ("proposal", "approval", "reservation", "charter"):
            repeat(a, kind)
        a.expect_answer("everything")
        f.failures.clear()
        return a.n


def settled(a, job, seconds=45):
    def look():
        state = common.job_states(a.f, a.proposer)[job]
        return state if state["is_final"] else None

    return wait_for(f"job {job} is final", look, seconds)


def hints(a, what):
    """Words without a signature change nothing but the time it takes."""
    a.order(f"hint {what}")
    job = a.submit()
    wait_for(f"hint {what}: carried out", a.done)
    time.sleep(0.3)  # let the lies run on for a moment
    a.peace()
    state = settled(a, job)
    expect(state["state"] in ("released", "aborted"), f"hint {what}: {state}")
    clean(state["reason"])
    a.n += 1
    print(f"{'hint ' + what:44} {a.proposer:6} {state['state']}: {state['reason'][:120]}", flush=True)


def drop(a, kind):
    """A message lost on the way: the job ends with its cause, or goes on when the node connects again."""
    a.order(f"drop {kind}")
    job = a.f.parley(a.proposer, "query", common.SQL, "--purpose", "test", "--compute", ",".join(a.f.compute), "--detach",
                     "--timeout", "3").out.strip()
    wait_for(f"drop {kind}: carried out", a.done)
    if kind != "receipt":
        state = settled(a, job)
        expect(state["state"] in ("expired", "aborted"), f"drop {kind}: {state}")
        expect(state["reason"], "a job that ended says why")
    else:
        state = settled(a, job)
        expect(state["state"] == "released", f"drop {kind}: {state}")
    a.peace()
    a.n += 1
    print(f"{'drop ' + kind:44} {a.proposer:6} {state['state']}: {state['reason'][:120]}", flush=True)


def repeat(a, kind):
    """The same message twice, under another number: counts once."""
    known = {member: set(common.job_states(a.f, member)) for member in a.honest}
    a.order(f"repeat {kind}")
    job = a.submit()
    wait_for(f"repeat {kind}: carried out", a.done)
    state = settled(a, job)
    a.peace()
    expect(state["state"] == "released", f"repeat {kind}: {state}")
    for member in a.honest:
        expect(len(states(a.f, member, known[member])) == 1, f"repeat {kind}: {member} has more than one job")
    a.n += 1
    print(f"{'repeat ' + kind:44} {a.proposer:6} released, once", flush=True)


# ---- a member that colludes ----


def changes(a, kind, every):
    """The numbers and names of the changes of a kind of document, one for each field unless every."""
    a.known = {}
    a.order(f"{kind} list")
    job = a.submit()
    lines = wait_for(f"{kind}: its list of changes", lambda: a.done())
    wait_for("the list is whole", lambda: len(a.done()) == len(lines) or None)
    state = settled(a, job)
    expect(state["state"] == "released", f"with nothing altered: {state}")
    found, seen = [], set()
    for line in a.done():
        number, what = line.split(" ", 1)
        if int(number) < len(found) and found[int(number)] is not None:
            continue  # another receiver's copy of the same list
        path = re.sub(r"\[\d+\]", "", what.split(" ")[0])
        wanted = every or path not in seen
        seen.add(path)
        found.append((int(number), what) if wanted else None)
        while len(found) < int(number) + 1:
            found.append(None)
    return [f for f in found if f is not None]


def colluding(folder, build_bin, program, hostile, kinds, every):
    bin_folder = os.path.join(folder, "bin")
    os.mkdir(bin_folder)
    shutil.copy(program, os.path.join(bin_folder, "parleyd"))
    shutil.copy(os.path.join(build_bin, "parley-worker"), bin_folder)
    orders = os.path.join(folder, "orders")
    rows = {name: [["f", 10], ["f", 11], ["m", 10]] for name in common.MEMBERS}
    with Federation(folder, build_bin, common.members(folder, rows, session_seconds=6),
                    programs={hostile: os.path.join(bin_folder, "parleyd")},
                    environment={"PARLEY_HOSTILE_ORDERS": orders, "PARLEY_HOSTILE_KEYS": os.path.join(folder, "keys", hostile)}) as f:
        honest = [name for name in common.MEMBERS if name != hostile]
        a = Attacks(f, orders, honest, "north")
        a.expect_answer("nothing")
        for kind in kinds:
            at = honest if hostile == "north" else ["north"]
            list_of_changes = changes(a, kind, every)
            expect(len(list_of_changes) >= 5, f"{kind}: only {len(list_of_changes)} changes")
            a.strike(f"{kind} 0 * unsigned", [kind], at)
            for number, what in list_of_changes:
                field = re.sub(r"\[\d+\]", "", what.split(" ")[0]).split(".")[-1]
                if kind == "proposal" and field in ANOTHER_PROPOSAL and not what.endswith("longer"):
                    another_proposal(a, number, what)
                elif what.startswith("audit_") or (field in OWN_WORDS.get(kind, ()) and not what.endswith("longer")):
                    own_word(a, f"{kind} {number} * signed", what)
                elif kind == "charter" and field in ANOTHER_CHARTER:
                    split(a, number, field)
                else:
                    a.strike(f"{kind} {number} * signed", [field, kind], at)
            a.expect_answer(f"altered {kind}s")
        f.failures.clear()
        return a.n


def another_proposal(a, number, what):
    """Sent to one party only it is a split view: approvals are of different digests, so that no charter comes together."""
    known = {member: set(common.job_states(a.f, member)) for member in a.honest}
    a.order(f"proposal {number} {a.honest[0]} signed")
    job = a.submit()
    wait_for(f"{what}: carried out", a.done)
    time.sleep(0.5)  # time in which a session would have run
    a.nothing_opened(known, what)
    a.peace()
    a.f.parley(a.proposer, "job", "cancel", job)
    a.n += 1
    print(f"{'proposal: ' + what:44} {a.honest[0]:6} another proposal than {a.honest[1]}'s: nothing runs", flush=True)


def own_word(a, line, what):
    a.known = {}
    a.order(line)
    job = a.submit()
    wait_for(f"{what}: carried out", a.done)
    a.f.parley(a.proposer, "job", "show", job)
    end = time.monotonic() + 3
    while not common.job_states(a.f, a.proposer)[job]["is_final"] and time.monotonic() < end:
        time.sleep(0.2)  # between two looks
    a.peace()
    a.f.parley(a.proposer, "job", "cancel", job)
    state = settled(a, job)
    if state["state"] == "released":
        result = a.f.parley(a.proposer, "job", "result", job, "--format", "csv")
        expect(result.code == 0 and result.rows() == RIGHT, f"{what}: {result}")
    a.n += 1
    print(f"{line.split()[0] + ': ' + what:44} {a.proposer:6} {state['state']}: {clean(state['reason'])[:120]}", flush=True)


def split(a, number, field):
    """One receiver gets another charter than the other, both valid: the sessions do not find each other, and all say so."""
    kind = "charter"
    known = {member: set(common.job_states(a.f, member)) for member in a.honest}
    a.order(f"{kind} {number} {a.honest[0]} signed")
    job = a.submit()
    wait_for(f"split {kind}: carried out", a.done)
    wait_for("all have ended it", lambda: all(set(states(a.f, m, known[m]).values()) <= {"aborted", "expired", "cancelled"} and
                                              states(a.f, m, known[m]) for m in a.honest), 40)
    a.nothing_opened(known, f"split {kind}")
    for member in a.honest:
        reason = common.job_states(a.f, member)[job]["reason"]
        print(f"{'split ' + kind + ': ' + field:44} {member:6} {clean(reason)[:150]}", flush=True)
    a.peace()
    a.n += 1


def main(build_bin, node, scheduler, *options):
    every = "--all" in options
    n = 0
    with tempfile.TemporaryDirectory(prefix="parley-hostile.") as folder:
        n += hostile_scheduler(folder, build_bin, scheduler)
    with tempfile.TemporaryDirectory(prefix="parley-hostile.") as folder:
        n += colluding(folder, build_bin, node, "north", ("proposal", "charter"), every)
    with tempfile.TemporaryDirectory(prefix="parley-hostile.") as folder:
        n += colluding(folder, build_bin, node, "south", ("approval", "reservation"), every)
    print(f"{n} attacks: each refused, named and audited; nothing was opened")


if __name__ == "__main__":
    main(*sys.argv[1:])
