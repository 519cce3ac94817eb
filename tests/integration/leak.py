"""Nothing leaks: everything that the processes of different departments say to each other is captured on the wire, decrypted with the
sessions' keys, and searched for the inputs' values; so are the scheduler's database and every node's state and logs.

Relays stand before every session port and between every node and the scheduler; they record all bytes. The secrets of the TLS connections are
written by parley-keylog.so (gRPC) and by the workers of test builds. tls-decrypt fails if one record of one connection cannot be read.
Every input value is a marker: an unlikely number, looked for as digits and as the bytes of a 64-bit integer, both orders.
Would prove nothing if nothing were read: texts that must stand in the clear behind TLS (a member's name in its hello, what a session is) are
searched by the same search, and a worker that leaks on purpose (PARLEY_LEAK) must be caught by it."""

import collections
import os
import shutil
import subprocess
import sys
import tempfile
import threading

import common
from federation import Federation

MARKERS = {"north": 1234567812345679, "south": 2345678923456781, "east": 3456789134567893}


def patterns(value):
    return {str(value).encode(), value.to_bytes(8, "little"), value.to_bytes(8, "big")}


def files_under(folder):
    for base, _, names in os.walk(folder):
        for name in names:
            yield os.path.join(base, name)


def search(paths):
    found = []
    for path in paths:
        with open(path, "rb") as file:
            data = file.read()
        found += [f"{path}: an input of {who}" for who, value in MARKERS.items() for p in patterns(value) if p in data]
    return found


class Recorder:
    """Every byte of every connection of one relay."""

    def __init__(self, relay):
        self.lock, self.connections = threading.Lock(), collections.defaultdict(lambda: [bytearray(), bytearray()])
        relay.tap = self.record

    def record(self, connection, to_target, data):
        with self.lock:
            self.connections[connection][0 if to_target else 1].extend(data)


def decrypt(folder, tool, keylog, recorders):
    """All connections, decrypted; returns the files of plaintext and the number of records and connections."""
    plain, records, connections = [], 0, 0
    for name, recorder in recorders.items():
        for number, (client, server) in recorder.connections.items():
            stem = os.path.join(folder, f"{name}-{number}")
            for side, data in (("c", client), ("s", server)):
                with open(f"{stem}.{side}", "wb") as file:
                    file.write(data)
            done = subprocess.run([tool, keylog, stem + ".c", stem + ".s", stem], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise AssertionError(f"connection {number} of {name} ({len(client)} and {len(server)} bytes): {done.stderr}")
            records += sum(int(word) for word in done.stdout.split())
            connections += 1
            plain += [stem + ".client", stem + ".server"]
    return plain, records, connections


def run(folder, build_bin, tools):
    """Runs one query; returns (leaks, what was read, in words)."""
    capture, data, keylog = (os.path.join(folder, name) for name in ("capture", "data", "keys.log"))
    os.mkdir(capture)
    os.mkdir(data)
    tables = {name: [["f", value], ["m", 5]] for name, value in MARKERS.items()}
    environment = {"PARLEY_KEYLOG": keylog, "LD_PRELOAD": os.path.join(tools, "libparley-keylog.so"),
                   "ASAN_OPTIONS": "verify_asan_link_order=0"}
    f = Federation(folder, build_bin, common.members(data, tables), environment=environment, relays=True)
    recorders = {f"session-{name}": Recorder(relay) for name, relay in f.session_relays.items()}
    recorders.update({f"uplink-{name}": Recorder(relay) for name, relay in f.uplink_relays.items()})
    with f:
        answer = f.query("north", common.SQL)
        if answer.rows() != [["f", "3", str(sum(MARKERS.values()))], ["m", "3", "15"]]:
            raise AssertionError(f"wrong answer: {answer}")
    plain, records, connections = decrypt(capture, os.path.join(tools, "tls-decrypt"), keylog, recorders)
    if connections < 9 or not any("session" in path for path in plain):
        raise AssertionError(f"only {connections} connections were captured: 3 uplinks and 6 session links are the least")
    for name in MARKERS:
        if not any(name.encode() in open(p, "rb").read() for p in plain if f"uplink-{name}" in p):
            raise AssertionError(f"the name of {name} does not stand in its decrypted uplink: the search reads nothing")
    state = [p for p in files_under(folder) if not p.startswith((capture + os.sep, data + os.sep))]
    size = sum(os.path.getsize(p) for p in plain)
    return search(plain + state), f"{connections} connections, {records} records, {size} bytes of plaintext, {len(state)} files of state"


def main(build_bin, leaking_worker, tools):
    with tempfile.TemporaryDirectory(prefix="parley-leak.") as folder:
        leaks, read = run(folder, build_bin, tools)
        if leaks:
            raise AssertionError("\n".join(leaks))
        print(f"{read}: no input value in them")
    with tempfile.TemporaryDirectory(prefix="parley-leak.") as folder:
        leaking_bin = os.path.join(folder, "bin")
        os.mkdir(leaking_bin)
        for program in ("parley", "parleyd", "parley-scheduler"):
            shutil.copy(os.path.join(build_bin, program), leaking_bin)
        shutil.copy(leaking_worker, os.path.join(leaking_bin, "parley-worker"))
        leaks, _ = run(folder, leaking_bin, tools)
        if not any("session" in leak for leak in leaks):
            raise AssertionError("the build that leaks on purpose was not caught")
        print(f"a worker that leaks on purpose is caught: {len(leaks)} finds")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3])
