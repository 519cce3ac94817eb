"""A hostile payload inside a worker gets nowhere. Test builds of parley-worker do, at a named place, what such a payload would do
(node/worker/attempt.c); here parleyd's side of the conversation is played for each mode, and the worker must end by SIGSYS at the attempt, which
for files is made on a file that this user may read. A session with links runs in a whole federation: the job ends with the cause, the nodes live.
Would be wrong if the attempts did not happen: an attempt that is not stopped ends with code 77, a worker that makes none ends otherwise.

usage: test_sandbox.py BIN"""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile

import common
from federation import Federation

NOT_STOPPED = 77
EVERYWHERE = ("open", "write", "unlink", "exec", "fork", "clone", "socket-udp", "socket-unix", "listen", "signal", "trace", "read-parent", "code",
              "make-code", "memfd", "io-uring", "core", "limit", "descriptor")
LINKED = (*EVERYWHERE, "socket-tcp")  # a session may dial until its links are there
IN_FEDERATION = ("open", "exec", "clone", "socket-tcp", "socket-udp", "code")  # a node is restarted for each
MODES = {"plan": LINKED, "source": LINKED, "dialling": EVERYWHERE}
DESCRIPTORS = {"plan": 3, "source": 3, "dialling": 7}  # standard streams; in a session control, connections and a pipe of its own
SECONDS = 20
RIGHT = [["f", "6", "63"], ["m", "3", "30"]]


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


# ---- parleyd's side, by hand ----


def field(number, value):
    """One field of a protobuf message: bytes or an integer."""
    if isinstance(value, int):
        return bytes([number << 3]) + varint(value)
    return bytes([number << 3 | 2]) + varint(len(value)) + value


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def frame(body):
    return struct.pack("<I", len(body)) + body


def session_start():
    """A session of one party: no links to wait for."""
    party = field(2, b"north") + field(4, 1) + field(5, 1)
    start = (field(1, bytes(16)) + field(2, bytes(32)) + field(4, party) + field(6, field(1, b"bench")) + field(9, 10000) + field(10, 10000))
    return frame(field(1, start))


def run_oneshot(worker, mode, environment):
    return subprocess.run([worker, mode], input=frame(b""), capture_output=True, env=environment, timeout=SECONDS, check=False).returncode


def run_session(worker, environment):
    ours, theirs = socket.socketpair()
    _, connections = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.sendall(session_start())

    def inherit():
        # Above the range first: 3 or 4 may be one of the two.
        first, second = os.dup2(theirs.fileno(), 90), os.dup2(connections.fileno(), 91)
        os.dup2(first, 3)
        os.dup2(second, 4)
        os.closerange(5, 256)

    done = subprocess.Popen([worker, "session"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                            close_fds=False, preexec_fn=inherit, env=environment)
    theirs.close()
    try:
        return done.wait(SECONDS)
    finally:
        done.kill()
        done.wait()
        ours.close()
        connections.close()


def run_worker(build_bin, mode, attempt):
    worker = os.path.join(build_bin, "parley-worker")
    environment = {"PARLEY_ATTEMPT": f"{mode}:{attempt}"}
    if mode in ("plan", "source"):
        return run_oneshot(worker, mode, environment)
    return run_session(worker, environment)


# ---- the attempts ----


def alone(build_bin, folder):
    secret = os.path.join(folder, "a-secret")
    with open(secret, "w", encoding="utf-8") as file:
        file.write("readable by this user\n")
    stopped = 0
    for mode, attempts in MODES.items():
        for attempt in attempts:
            path = "/bin/true" if attempt == "exec" else secret
            code = run_worker(build_bin, mode, f"{attempt}:{path}")
            expect(code != NOT_STOPPED, f"{mode}: {attempt} was not stopped")
            expect(code == -signal.SIGSYS, f"{mode}: {attempt} ended with {code}, not by SIGSYS")
            stopped += 1
        code = run_worker(build_bin, mode, f"descriptors:{DESCRIPTORS[mode]}")
        expect(code not in (NOT_STOPPED, -signal.SIGSYS), f"{mode}: more descriptors than {DESCRIPTORS[mode]}: {code}")
        print(f"{mode}: {len(attempts)} attempts, each ended by SIGSYS; {DESCRIPTORS[mode]} descriptors at most")
    expect(os.path.exists(secret), "the file is gone")
    expect(run_worker(build_bin, "source", "nothing") == NOT_STOPPED, "an attempt that does nothing must show as not stopped")


def restart(f, name, attempt=None):
    f.processes[name].signal(signal.SIGTERM)
    f.processes[name].child.wait(SECONDS)
    f.environment = {"PARLEY_ATTEMPT": attempt} if attempt else {}
    f.restart(name)
    f.environment = {}
    f.wait_online()


def cause_of(f, member):
    """The reason of the job that came last."""
    jobs = json.loads(f.parley(member, "job", "list", "--json").out)
    return max(jobs, key=lambda job: job["created_at"])["reason"]


def together(build_bin, folder):
    rows = {name: [["f", 10], ["f", 11], ["m", 10]] for name in common.MEMBERS}
    with Federation(folder, build_bin, common.members(folder, rows)) as f:
        secret = f.path("south", "state", "jobs.db")
        expect(os.path.exists(secret), f"{secret} is not there")
        expect(f.query("north", common.SQL).rows() == RIGHT, "without an attempt: a wrong answer")
        for mode, name in [("plan", "exec"), ("source", "exec"), *(("session", name) for name in IN_FEDERATION)]:
            restart(f, "south", f"{mode}:{name}:{'/bin/true' if name == 'exec' else secret}")
            for _ in range(5):  # a peer that misses the worker can be quicker than its own node
                answer = f.query("north", common.SQL)
                expect(answer.code != 0, f"{mode}: {name}: an answer in spite of a stopped worker")
                reason = cause_of(f, "south")
                if "the sandbox ended the worker" in reason:
                    break
            expect("the sandbox ended the worker" in reason, f"{mode}: {name}: the cause at its node is {reason}")
        restart(f, "south")
        answer = f.query("north", common.SQL)
        expect(answer.code == 0 and answer.rows() == RIGHT, f"afterwards: {answer}")
        print(f"session with links: {len(IN_FEDERATION)} attempts, each job ended: {reason}")
    expect(not f.failures, f.failures)


def main(build_bin):
    with tempfile.TemporaryDirectory(prefix="parley-sandbox.") as folder:
        alone(build_bin, folder)
        together(build_bin, folder)


if __name__ == "__main__":
    main(sys.argv[1])
