"""Attacks on the audit log of a live node, forged receipts, and a node whose state was rolled back.

Shows: deletion, change, insertion, truncation and fork of a running node's log are each named with the record's number, through the
node and offline; a log written anew with everything beside it is found by another member's heads and by a receipt; a forged receipt is
refused by name, a partial one says who is missing, an old one verifies after a key was renewed; a node that runs on an older copy of its
state is refused by each member that saw more, by name, until its operator accepts it, and that is recorded.
Would be wrong if: the attacks were not made (each is checked to have changed the file), or an untouched log were called bad."""

import json
import os
import shutil
import struct
import sys
import tempfile
import threading

import common
from federation import Federation, FederationError, Process


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


def ask(f, when):
    before = listed(f)
    answer = f.query("north", common.SQL)
    expect(answer.code == 0, f"{when}: the query fails: {answer}")
    expect(answer.rows() == [["f", "6", "63"], ["m", "3", "30"]], f"{when}: wrong answer: {answer}")
    return the_new(f, before)


def listed(f):
    return set(common.job_states(f, "north"))


def the_new(f, before):
    """The job that was not listed before: the list has its times in seconds, and several jobs fit into one."""
    new = listed(f) - before
    expect(len(new) == 1, f"one new job was expected, not {len(new)}: {new}")
    return new.pop()


def verdict_of(f, member, *words):
    """`audit verify --json` prints the verdict, then, when it is bad, the error: the first object is the verdict."""
    done = f.parley(member, "audit", "verify", "--json", *words)
    verdict, _ = json.JSONDecoder().raw_decode(done.out)
    expect("ok" in verdict, f"audit verify {words}: {done}")
    expect(verdict["ok"] == (done.code == 0), f"audit verify {words}: {done}")
    return verdict


def records(data):
    out, at = [], 0
    while at < len(data):
        (n,) = struct.unpack_from("<I", data, at)
        out.append(data[at : at + 4 + n])
        at += 4 + n
    return out


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


# ---- the five attacks, on a running node ----


def five_attacks(f, manifest):
    log = f.path("south", "state", "audit.log")
    good = read(log)
    rows = records(good)
    n = len(rows)
    expect(n > 12, f"only {n} records")
    fork_log = f.path("other", "audit.log")
    attacks = {
        "deletion": (rows[:5] + rows[6:], 5),
        "change": (rows[:5] + [rows[5].replace(b"ok", b"no", 1)] + rows[6:], 5),
        "insertion": (rows[:7] + [rows[3]] + rows[7:], 7),
        "truncation": (rows[:9], 9),
    }
    heads = f.path("north.heads")
    saved = f.parley("north", "audit", "heads", "--output", heads)
    expect(saved.code == 0, f"audit heads: {saved}")
    held = ("--peer-heads", heads, "--manifest", manifest)
    expect(verdict_of(f, "south")["ok"], "the untouched log is called bad")
    sound = verdict_of(f, "south", *held)
    expect(sound["ok"] and sound["heads_held"] > 2, f"the untouched log against north's heads: {sound}")
    for kind, (changed, record) in attacks.items():
        data = b"".join(changed)
        expect(data != good, f"{kind}: the attack changes nothing")
        write(log, data)
        for words in ((), held, ("--log", log, "--org", "south")):
            found = verdict_of(f, "south", *words)
            expect(found["kind"] == kind and found["record"] == record, f"{kind} of record {record}, {words[:1]}: {found}")
        # Without the tree beside it, another member's heads still do.
        bare = f.path("bare.log")
        shutil.copy(log, bare)
        found = verdict_of(f, None, "--log", bare, "--org", "south", *held)
        expect(found["kind"] == kind, f"{kind}, bare: {found}")
        print(f"{kind:12} {found['fault']}")
        write(log, good)
    fork(f, log, good, held, fork_log)
    expect(verdict_of(f, "south", *held)["ok"], "the restored log is called bad")


def fork(f, log, good, held, fork_log):
    """The log of another life of the same node: every record whole, chain unbroken."""
    write(log, read(fork_log))
    found = verdict_of(f, "south")
    expect(found["kind"] == "fork", f"fork: {found}")
    offline = verdict_of(f, None, "--log", fork_log, "--org", "south")
    expect(offline["ok"], f"the other log, by itself, is unbroken: {offline}")
    found = verdict_of(f, None, "--log", fork_log, "--org", "south", *held)
    expect(found["kind"] in ("fork", "truncation"), f"fork against north's heads: {found}")
    print(f"{'fork':12} {found['fault']}")
    write(log, good)


def verify_while_it_grows(f):
    """Records are appended while the log is read: no false alarm, and the node goes on."""
    answers = []
    asking = threading.Thread(target=lambda: answers.extend(f.query("north", common.SQL) for _ in range(3)))
    asking.start()
    looks = 0
    while asking.is_alive():
        found = verdict_of(f, "south")
        expect(found["ok"], f"a log that grows is called bad: {found}")
        looks += 1
    asking.join()
    expect(looks >= 3 and all(a.code == 0 for a in answers), f"{looks} looks, {answers}")


# ---- receipts ----


def receipts(f, job, manifest):
    path, forged = f.path("receipt.pb"), f.path("forged.pb")
    got = f.parley("north", "receipt", "get", job, "--output", path)
    expect(got.code == 0, f"receipt get: {got}")
    done = f.parley(None, "receipt", "verify", path, "--manifest", manifest)
    expect(done.code == 0 and "audit heads" in done.out, f"receipt verify: {done}")
    found = verdict_of(f, "south", "--peer-heads", path, "--manifest", manifest)
    expect(found["ok"], f"south's log against the receipt: {found}")
    data = read(path)
    at = data.index(b"SUM(amount)")
    write(forged, data[:at] + b"AVG" + data[at + 3 :])
    done = f.parley(None, "receipt", "verify", forged, "--manifest", manifest)
    expect(done.code == 16 and "is forged, or the receipt was altered" in done.err, f"forged receipt: {done}")
    print(f"{'forged':12} {done.err.splitlines()[0]}")
    return path


def forged_heads(f, manifest):
    """Another member's file of heads, altered on the way to the auditor."""
    heads, forged = f.path("north.heads"), f.path("forged.heads")
    data = bytearray(read(heads))
    at = data.rindex(b"\x12\x05south\x1a\x20")  # AuditHead.org, then key_id
    data[at + 12] ^= 1
    write(forged, bytes(data))
    done = f.parley("south", "audit", "verify", "--peer-heads", forged, "--manifest", manifest)
    expect(done.code != 0 and "heads[" in done.err and "forged" in done.err, f"forged heads: {done}")
    print(f"{'forged heads':12} {done.err.splitlines()[0]}")


def partial_receipt(f, manifest):
    """East dies before it signs: the receipt names it."""
    f.processes["east"].stop()
    f.environment = {"PARLEY_STOP_AT": "daemon-before-end"}
    f.restart("east")
    f.environment = {}
    f.wait_online()
    before = listed(f)
    answer = f.query("north", common.SQL)
    expect(answer.code == 0, f"east dies after the opening: {answer}")
    f.restart("east")
    f.wait_online()
    path = f.path("partial.pb")
    got = f.parley("north", "receipt", "get", the_new(f, before), "--output", path)
    expect(got.code == 0, f"receipt get: {got}")
    done = f.parley(None, "receipt", "verify", path, "--manifest", manifest)
    expect(done.code == 8 and "1 of 3 parties have not signed this receipt yet: east" in done.err, f"partial: {done}")
    print(f"{'partial':12} {done.err.splitlines()[0]}")


def old_receipt_after_renewal(f, job, path, manifest):
    f.processes["south"].stop()
    f.admin("org", "renew", f.path("keys", "south"))
    f.sign_policy("south")
    f.restart("south")
    f.wait_online()
    fresh = f.path("again.pb")
    got = f.parley("north", "receipt", "get", job, "--output", fresh)
    expect(got.code == 0, f"receipt get after renewal: {got}")
    for one in (path, fresh):
        done = f.parley(None, "receipt", "verify", one, "--manifest", manifest)
        expect(done.code == 0, f"an old receipt after south's key was renewed: {done}")
    ask(f, "after south's key was renewed")
    heads = f.path("both-keys.heads")
    expect(f.parley("north", "audit", "heads", "--output", heads).code == 0, "audit heads after the renewal")
    found = verdict_of(f, "south", "--peer-heads", heads, "--manifest", manifest)
    expect(found["ok"] and found["heads_held"] > 4, f"south's log against heads under its old and new key: {found}")


# ---- a rolled-back node ----


def roll_back(f):
    ask(f, "before the copy")
    f.processes["east"].stop()
    state, copy = f.path("east", "state"), f.path("east-copy")
    shutil.copytree(state, copy)
    f.restart("east")
    f.wait_online()
    for i in range(2):
        ask(f, f"after the copy, {i}")
    f.processes["east"].stop()
    shutil.rmtree(state)
    shutil.copytree(copy, state)
    f.restart("east")
    f.wait_online()
    answer = f.query("north", common.SQL)
    expect(answer.code == 16, f"a rolled-back node takes part: {answer}")
    expect("audit log of east" in answer.err and ("rollback" in answer.err or "fork" in answer.err), f"rolled back: {answer}")
    print(f"{'rollback':12} {answer.err.splitlines()[0]}")
    for member in ("north", "south"):
        peers = json.loads(f.parley(member, "audit", "peers", "--json").out)
        east = next(p for p in peers if p["org"] == "east")
        expect("audit log of east" in east["disputed"], f"{member} does not dispute east: {peers}")
        expect("east (group east): online, REFUSED" in f.parley(member, "status").out, f"{member}'s status does not show it")
        shown = f.parley(member, "audit", "show", "--json")
        expect('"audit.dispute"' in shown.out, f"{member} has not recorded the dispute: {shown.out[-2000:]}")
    jobs = common.job_states(f, "east")
    expect(any("own audit log is not the one" in job["reason"] for job in jobs.values()),
           f"east does not know: {[job['reason'] for job in jobs.values()]}")
    refused = f.parley("north", "audit", "accept", "south", "--reason", "no")
    expect(refused.code == 8, f"accepting what was not disputed: {refused}")
    for member in ("north", "south"):
        accepted = f.parley(member, "audit", "accept", "east", "--reason", "disk replaced, restored from the backup")
        expect(accepted.code == 0, f"audit accept: {accepted}")
        expect("restored from the backup" in f.parley(member, "audit", "show", "--json").out, "the acceptance is not recorded")
    for i in range(2):
        ask(f, f"after the acceptance, {i}")
    for member in common.MEMBERS:
        expect("REFUSED" not in f.parley(member, "status").out, f"{member} still refuses somebody")
        expect(verdict_of(f, member)["ok"], f"{member}'s log is broken at the end")


# ---- a node whose own log was cut does not start, but by its operator's word ----


def own_log_cut(f):
    f.processes["south"].stop()
    state = f.path("south", "state")
    log = os.path.join(state, "audit.log")
    rows = records(read(log))
    expect(len(rows) > 60, f"only {len(rows)} records")
    write(log, b"".join(rows[:20]))
    os.unlink(log + ".tree")
    try:
        f.restart("south")
    except FederationError as error:
        text = str(error)
    else:
        raise AssertionError("a node starts on a log that was cut")
    expect("truncation: this node signed a head of" in text and "--accept-audit" in text, f"cut log: {text}")
    print(f"{'own log cut':12} {next(line for line in text.splitlines() if 'truncation' in line)}")
    command = [os.path.join(f.bin, "parleyd"), "--config", f.path("south.yaml"), "--accept-audit", "the disk was full of sand"]
    f.processes["south"] = Process("south", command, f.path("south.log"))
    f.wait_online()
    expect("full of sand: truncation" in f.parley("south", "audit", "show", "--json").out, "the acceptance is not recorded")
    answer = f.query("north", common.SQL)
    expect(answer.code == 16 and "audit log of south: rollback" in answer.err, f"a log that was cut: {answer}")
    print(f"{'rollback':12} {answer.err.splitlines()[0]}")
    for member in ("north", "east"):
        accepted = f.parley(member, "audit", "accept", "south", "--reason", "sand")
        expect(accepted.code == 0, f"audit accept: {accepted}")
    for i in range(2):
        ask(f, f"after south's log was accepted, {i}")


def run(build_bin, folder):
    tables = {"north": [("f", 10), ("m", 20)], "south": [("f", 11)] * 3, "east": [("f", 10), ("f", 10), ("m", 5), ("m", 5)]}
    os.makedirs(os.path.join(folder, "other"))
    with Federation(folder, build_bin, common.members(folder, tables)) as f:
        manifest = f.path("federation.manifest")
        # another life of south: the same keys, other records
        for i in range(2):
            ask(f, "in another life")
        for member in common.MEMBERS:
            f.processes[member].stop()
        shutil.copy(f.path("south", "state", "audit.log"), f.path("other", "audit.log"))
        for member in common.MEMBERS:
            shutil.rmtree(f.path(member, "state"))
            f.restart(member)
        f.wait_online()
        for i in range(3):
            job = ask(f, f"query {i}")
        five_attacks(f, manifest)
        verify_while_it_grows(f)
        path = receipts(f, job, manifest)
        old_receipt_after_renewal(f, job, path, manifest)
        forged_heads(f, manifest)
        partial_receipt(f, manifest)
        roll_back(f)
        own_log_cut(f)


def main():
    with tempfile.TemporaryDirectory(prefix="parley-audit-") as folder:
        run(os.path.abspath(sys.argv[1]), folder)
        left = common.processes_under(folder)
        expect(not left, f"processes are left: {left}")
    print("audit attacks: all found and named")


if __name__ == "__main__":
    main()
