"""A node's key renewed, a policy changed, a member revoked by a new epoch: without stopping anybody else.

Shows: after `parley org renew` and SIGHUP the node works with its new key (its descriptor's serial has grown at the others), while nobody was
restarted; a wrong configuration is refused whole, with its reason, and the node goes on as before; a new policy counts from the reload on; after a
new epoch without east, the others go on answering and east is refused by name, at the scheduler and at the nodes.
Would be wrong if: a reload did nothing (each step is checked by something that was different before)."""

import json
import os
import signal
import sys
import tempfile
import time

import common
from federation import Federation

MEMBERS = ("north", "south", "west", "east")


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


def logged(f, name, event, since, seconds=20):
    """Waits until the log of a process has an event after the position since."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with open(f.path(name + ".log"), encoding="utf-8", errors="replace") as file:
            file.seek(since)
            for line in file:
                if f'"event":"{event}"' in line:
                    return json.loads(line)
        time.sleep(0.05)  # between two looks
    raise AssertionError(f"{name}: no {event} within {seconds} s\n{f.processes[name].log()}")


def reload(f, name, event):
    since = os.path.getsize(f.path(name + ".log"))
    f.processes[name].signal(signal.SIGHUP)
    return logged(f, name, event, since)


def expect_answer(f, member, owners, when):
    answer = f.query(member, common.SQL)
    expect(answer.code == 0, f"{when}: {answer}")
    expect(answer.rows() == [["f", str(2 * owners), str(21 * owners)], ["m", str(owners), str(10 * owners)]], f"{when}: {answer}")


def renew_key(f):
    before = {name: f.processes[name].pid for name in f.processes}
    f.admin("org", "renew", f.path("keys", "north"))
    refused = reload(f, "north", "node.reload_failed")
    expect("policy" in refused["message"], f"a policy signed with the key before: {refused}")
    expect_answer(f, "south", 4, "after a reload that was refused")
    f.sign_policy("north")
    reload(f, "north", "node.reloaded")
    f.wait_online()
    expect_answer(f, "south", 4, "asked of a node with a new key")
    expect_answer(f, "north", 4, "asked by a node with a new key")
    shown = f.admin("org", "show", f.path("keys", "north"), "--json")
    expect(json.loads(shown.out)["serial"] == 2, f"the serial: {shown}")
    expect(before == {name: f.processes[name].pid for name in f.processes}, "somebody was restarted")
    print("key renewed: the others work with serial 2, nobody was stopped")


def change_policy(f):
    f.members["south"]["policy"] = {"policy": 2, "rules": []}
    f._write("south-policy.yaml", f._policy("south", f.members["south"]))
    refused = reload(f, "south", "node.reload_failed")
    expect("sign" in refused["message"], f"an unsigned policy: {refused}")
    expect_answer(f, "north", 4, "after an unsigned policy was refused")
    f.sign_policy("south")
    reload(f, "south", "node.reloaded")
    f.wait_online()
    answer = f.query("north", common.SQL)
    expect(answer.code == 6 and "south" in answer.err, f"the new policy allows nothing: {answer}")
    f.members["south"]["policy"] = {"policy": 3}
    f._write("south-policy.yaml", f._policy("south", f.members["south"]))
    f.sign_policy("south")
    reload(f, "south", "node.reloaded")
    f.wait_online()
    expect_answer(f, "north", 4, "after a third policy")
    print("policy changed twice without a restart")


def revoke(f):
    rest = [name for name in MEMBERS if name != "east"]
    words = []
    for name in rest:
        words += ["--member", f.path("keys", name, "member.pb")]
    f.admin("federation", "create", f.path("next.manifest"), "--name", "test", "--threshold", "3", "--previous",
            f.path("federation.manifest"), *words)
    for name in rest:
        f.admin("federation", "sign", f.path("next.manifest"), "--org", f.path("keys", name), "--previous", f.path("federation.manifest"))
    os.replace(f.path("next.manifest"), f.path("federation.manifest"))
    refused = reload(f, "east", "node.reload_failed")
    expect("east" in refused["message"] and "member" in refused["message"], f"east reads a manifest without itself: {refused}")
    since = os.path.getsize(f.path("scheduler.log"))
    reload(f, "scheduler", "manifest.reloaded")
    told = logged(f, "scheduler", "node.refused", since)
    expect("east is no member" in told["message"], f"the scheduler of east: {told}")
    for name in rest:
        reload(f, name, "node.reloaded")
    for name in rest:
        seen = f.parley(name, "status", "--wait", "20", timeout=35)
        expect(seen.code == 0, f"{name} does not see the rest: {seen}")
    f.compute = rest
    expect_answer(f, "north", 3, "after the new epoch")
    f.compute = ["north", "south", "east"]
    answer = f.query("north", common.SQL)
    expect(answer.code != 0 and "east is not a member" in answer.err, f"east named as a compute party: {answer}")
    print("east revoked by epoch 2: the others go on")


def main(build_bin):
    rows = {name: [["f", 10], ["f", 11], ["m", 10]] for name in MEMBERS}
    with tempfile.TemporaryDirectory(prefix="parley-renew.") as folder:
        with Federation(folder, build_bin, common.members(folder, rows), threshold=3) as f:
            expect_answer(f, "north", 4, "at first")
            renew_key(f)
            change_policy(f)
            revoke(f)
            audit = f.parley("south", "audit", "show", "--json")
            expect("node.reload" in audit.out, "reloads stand in the audit log")
        left = common.processes_under(folder)
        expect(not left, f"left behind: {left}")


if __name__ == "__main__":
    main(sys.argv[1])
