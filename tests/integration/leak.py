"""Nothing leaks: what crosses every session link is captured after decryption (test builds only), and the inputs' values are searched
in it, in the scheduler's database and in every node's state and logs.

Every input value is a marker: an unlikely number, looked for as digits and as the bytes of a 64-bit and 128-bit integer, both orders.
A build that leaks on purpose (PARLEY_LEAK) must be caught by the same search: otherwise the search proves nothing."""

import os
import shutil
import sys
import tempfile

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


def run(folder, build_bin):
    """Runs one query; returns (leaks, bytes captured)."""
    capture = os.path.join(folder, "capture")
    data = os.path.join(folder, "data")
    os.mkdir(capture)
    os.mkdir(data)
    tables = {name: [["f", value], ["m", 5]] for name, value in MARKERS.items()}
    members = common.members(data, tables)
    with Federation(folder, build_bin, members, environment={"PARLEY_CAPTURE": capture}) as f:
        answer = f.query("north", common.SQL)
        if answer.rows() != [["f", "3", str(sum(MARKERS.values()))], ["m", "3", "15"]]:
            raise AssertionError(f"wrong answer: {answer}")
    frames = list(files_under(capture))
    state = [p for p in files_under(folder) if not p.startswith((capture + os.sep, data + os.sep))]
    return search(frames + state), sum(os.path.getsize(p) for p in frames)


def main(build_bin, leaking_worker):
    with tempfile.TemporaryDirectory(prefix="parley-leak.") as folder:
        leaks, captured = run(folder, build_bin)
        if leaks:
            raise AssertionError("\n".join(leaks))
        if captured < 1000:
            raise AssertionError(f"only {captured} bytes were captured: the test would prove nothing")
        print(f"{captured} bytes of decrypted frames, databases and logs: no input value in them")
    with tempfile.TemporaryDirectory(prefix="parley-leak.") as folder:
        leaking_bin = os.path.join(folder, "bin")
        os.mkdir(leaking_bin)
        for program in ("parley", "parleyd", "parley-scheduler"):
            shutil.copy(os.path.join(build_bin, program), leaking_bin)
        shutil.copy(leaking_worker, os.path.join(leaking_bin, "parley-worker"))
        leaks, _ = run(folder, leaking_bin)
        if not any("capture" in leak for leak in leaks):
            raise AssertionError("the build that leaks on purpose was not caught")
        print(f"a worker that leaks on purpose is caught: {len(leaks)} finds")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
