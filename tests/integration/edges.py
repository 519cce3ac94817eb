"""What stands at a node's edges is refused by a named reason, and the daemon lives.

gRPC of the scheduler: TLS 1.2, no certificate, an unknown key, an expired certificate of a member, a non-member. A node that meets a false
scheduler: another key, TLS 1.2, expired. The session port: preambles of every wrong kind, garbage, silence, many at once; and during a live
session a stranger who knows its number and rank: garbage, TLS 1.2, another PSK. SQL of 20 KB and of depth 10,000 in several forms. CSV faults of
every kind: file, line, column and kind of fault at the owner, the value nowhere.
Would be wrong if: an honest party were refused as well (an honest question is asked after each part), or if the reasons were looked for where
everything is logged anyway (each is looked for in new lines only).

usage: edges.py BIN MAKE_CERT"""

import json
import os
import re
import select
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

import common
from federation import Federation

RIGHT = [["f", "6", "63"], ["m", "3", "30"]]
SECRET = "86753098675309"


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


def wait_for(what, condition, seconds=20):
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        expect(time.monotonic() < end, f"{what}: not within {seconds} s")
        time.sleep(0.2)  # between two looks


class Log:
    """The lines that a process writes to its log from now on."""

    def __init__(self, f, name):
        self.path, self.name = f.path(name + ".log"), name
        self.start = os.path.getsize(self.path)

    def text(self):
        with open(self.path, encoding="utf-8", errors="replace") as file:
            file.seek(self.start)
            return file.read()

    def wait(self, pattern, seconds=20):
        return wait_for(f"{self.name} logs /{pattern}/, but only: {self.text()[-600:]}", lambda: re.search(pattern, self.text()), seconds).group(0)


def expect_answer(f, when):
    answer = f.query("north", common.SQL, timeout=40)
    expect(answer.code == 0 and answer.rows() == RIGHT, f"an honest question after {when}: {answer}")


def address(text):
    host, port = text.split()[-1].rsplit(":", 1)
    return host, int(port)


# ---- gRPC: who comes to the scheduler ----


def tls_client(f, cert=None, key=None, newest=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(f.path("scheduler", "scheduler.crt"))
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.set_alpn_protocols(["h2"])
    if cert:
        context.load_cert_chain(cert, key)
    if newest:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.maximum_version = newest
    return context


def knock(f, what, **how):
    """Connects to the scheduler and says the HTTP/2 preface: what a refused client sees."""
    where = address(f.processes["scheduler"].ready)
    try:
        with socket.create_connection(where, 10) as plain:
            with tls_client(f, **how).wrap_socket(plain) as tls:
                tls.settimeout(10)
                tls.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
                got = tls.recv(100)
                print(f"{what:46} {'is spoken to' if got else 'closed without a word'}", flush=True)
                return got
    except (ssl.SSLError, ConnectionError) as refused:
        print(f"{what:46} {str(refused)[:110]}", flush=True)
        return None


def strangers(f, make_cert):
    f.admin("org", "create", f.path("keys", "mallory"), "--name", "mallory", "--endpoint", "127.0.0.1:7101")
    for name, org, begin, end in (("expired", "north", -9000, -3600), ("early", "north", 3600, 9000), ("fresh", "north", -60, 3600)):
        subprocess.run([make_cert, f.path("keys", org), str(begin), str(end), f.path(name)], check=True)
    own = {"cert": f.path("keys", "north", "tls.crt"), "key": f.path("keys", "north", "tls.key")}
    expect(knock(f, "a member", **own), "the scheduler does not answer a member's TLS: the refusals below would prove nothing")
    cases = {"TLS 1.2": dict(own, newest=ssl.TLSVersion.TLSv1_2), "no certificate": {},
             "an unknown root": {"cert": f.path("keys", "mallory", "tls.crt"), "key": f.path("keys", "mallory", "tls.key")},
             "an expired certificate of a member": {"cert": f.path("expired.crt"), "key": f.path("expired.key")},
             "a certificate that is not valid yet": {"cert": f.path("early.crt"), "key": f.path("early.key")}}
    for what, how in cases.items():
        expect(not knock(f, what, **how), f"the scheduler lets in {what}")
    # A certificate of a member's root that its descriptor does not name passes TLS, and not Hello.
    expect(knock(f, "fresh", cert=f.path("fresh.crt"), key=f.path("fresh.key")), "a certificate of a member's root is valid TLS")
    with open(f.path("north.yaml"), encoding="utf-8") as file:
        text = file.read().replace("keys/north", "keys/mallory").replace("north/", "mallory/").replace("north-policy", "mallory-policy")
    f._write("mallory.yaml", dict(json.loads(text), datasets=[]))
    os.mkdir(f.path("mallory"))
    f._write("mallory-policy.yaml", f._policy("mallory", {}))
    f.sign_policy("mallory")
    started = subprocess.run([os.path.join(f.bin, "parleyd"), "--config", f.path("mallory.yaml")], capture_output=True, text=True, timeout=30, check=False)
    expect(started.returncode != 0 and "mallory is not a member" in started.stderr, f"parleyd of a non-member: {started}")
    print(f"{'parleyd of a non-member':46} {started.stderr.strip()[:110]}")


FRAMES = {"a frame of 16 MB": b"\xff\xff\xff\0\0\0\0\0\1" + b"x" * 100_000,
          "a frame of unknown type, and one on stream 2^31": b"\0\0\1\xfe\0\0\0\0\1x" + b"\0\0\1\0\0\xff\xff\xff\xffx",
          "headers that are no HPACK": b"\0\0\4\1\4\0\0\0\1" + b"\xff\xff\xff\xff",
          "no HTTP/2 at all": os.urandom(4096),
          "1,000 streams reset at once": b"".join(b"\0\0\4\3\0" + struct.pack(">I", 2 * i + 1) + b"\0\0\0\x08" for i in range(1000))}


def frames(f):
    """A member's own connection, and a local user's, that speak nonsense: they are closed, the program lives."""
    cert = {"cert": f.path("keys", "north", "tls.crt"), "key": f.path("keys", "north", "tls.key")}
    for what, data in FRAMES.items():
        with socket.create_connection(address(f.processes["scheduler"].ready), 10) as plain:
            with tls_client(f, **cert).wrap_socket(plain) as tls:
                speak(tls, data)
        with socket.socket(socket.AF_UNIX) as local:
            local.connect(f.path("north", "run", "analyst.sock"))
            speak(local, data)
        for name in ("scheduler", "north"):
            expect(f.processes[name].running(), f"{what}: {name} is gone")
        print(f"{'gRPC: ' + what:46} scheduler and node live", flush=True)


def speak(s, data):
    s.settimeout(2)
    try:
        s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0" + data)
        while s.recv(4096):
            pass
    except (OSError, ssl.SSLError):
        pass  # closed, or nothing more to say


# ---- gRPC: whom a node meets ----


class FalseScheduler(threading.Thread):
    def __init__(self, cert, key, newest=None):
        super().__init__(daemon=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        self.context.set_alpn_protocols(["h2"])
        if newest:
            self.context.minimum_version = self.context.maximum_version = newest
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.got_in = False
        self.start()

    def run(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            try:
                with self.context.wrap_socket(plain, server_side=True) as tls:
                    tls.settimeout(5)
                    self.got_in = self.got_in or bool(tls.recv(100))
            except (ssl.SSLError, OSError):
                pass


def false_schedulers(f, make_cert):
    subprocess.run([make_cert, "-", "-60", "3600", f.path("other")], check=True)
    subprocess.run([make_cert, "-", "-9000", "-3600", f.path("old")], check=True)
    real = f.path("scheduler", "scheduler")
    cases = {"a scheduler with another key": FalseScheduler(f.path("other.crt"), f.path("other.key")),
             "the scheduler with TLS 1.2": FalseScheduler(real + ".crt", real + ".key", ssl.TLSVersion.TLSv1_2),
             "a scheduler with an expired certificate": FalseScheduler(f.path("old.crt"), f.path("old.key"))}
    f.processes["south"].stop()
    for what, server in cases.items():
        config = f._config("south", f.members["south"], server.address)
        if "expired" in what:
            config["scheduler"]["certificate"] = "old.crt"  # pinned, and expired
        f._write("south.yaml", config)
        log_start = os.path.getsize(f.path("south.log"))
        f.restart("south")
        log = Log(f, "south")
        log.start = log_start
        told = log.wait(r'"event":"uplink.(lost|failed)"[^\n]*"message":"[^"]+"')
        expect(not server.got_in, f"the node spoke to {what}")
        print(f"{what:46} {told.split('message')[-1][3:110]}", flush=True)
        server.listener.close()
        f.processes["south"].stop()
    f._write("south.yaml", f._config("south", f.members["south"], f.processes["scheduler"].ready.split()[-1]))
    f.restart("south")
    f.wait_online()


# ---- the session port ----


def preamble(magic=b"PLY1", version=1, suite=1, session=b"no such session!", ranks=(1, 0), lane=0, rest=b"\0" * 34):
    return magic + struct.pack("<HH", version, suite) + session + struct.pack("<HHH", *ranks, lane) + rest


def dial(where, data):
    """Sends data; waits for the other side to close. Returns how long that took."""
    begun = time.monotonic()
    with socket.create_connection(where, 10) as s:
        s.settimeout(20)
        try:
            s.sendall(data)
            while s.recv(4096):
                pass
        except ConnectionError:
            pass
    return time.monotonic() - begun


def session_port(f):
    where = address(f.processes["east"].ready)
    for what, data, named in (
            ("another protocol", b"GET / HTTP/1.1\r\n" + b"x" * 48, "preamble"),
            ("another version", preamble(version=9), "version"),
            ("another suite", preamble(suite=7), "suite"),
            ("ranks out of range", preamble(ranks=(60000, 0)), "rank"),
            ("its own rank", preamble(ranks=(1, 1)), "rank"),
            ("bytes that must be zero", preamble(rest=b"\1" * 34), "preamble"),
            ("no such session", preamble(), "session"),
            ("cut off", preamble()[:20], "preamble"),
            ("1 MB of garbage", os.urandom(1 << 20), "preamble")):
        log = Log(f, "east")
        if what == "cut off":
            with socket.create_connection(where, 10) as s:
                s.sendall(data)
        else:
            dial(where, data)
        told = log.wait(rf'"event":"session.connect"[^\n]*"message":"[^"]*{named}[^"]*"')
        print(f"{'session port: ' + what:46} {told.split('message')[-1][3:110]}", flush=True)
    log = Log(f, "east")
    silent = [socket.create_connection(where, 10) for _ in range(300)]
    for s in silent[:20]:
        s.sendall(b"P")  # byte by byte, never whole
    log.wait(r'"event":"session.connect"[^\n]*"message":"[^"]*(in time|within|many|deadline)[^"]*"', 30)
    expect_answer(f, "300 silent connections")
    for s in silent:
        s.close()
    audit = f.parley("east", "audit", "show", "--json").out
    expect("session.connect" in audit, "refusals at the session port stand in the audit log")
    print(f"{'session port: 300 silent connections':46} the honest are served beside them")


def live_session(f):
    """A stranger who reads the wire knows session and rank, not the key: he cannot end the session."""
    relay, seen = f.session_relays["north"], []
    relay.tap = lambda connection, to_target, data: seen.append(data) if to_target and data.startswith(b"PLY1") else None
    relay.delay = 1.0  # time for the stranger to be first at the node's port
    answer = {}
    asking = threading.Thread(target=lambda: answer.update(a=f.query("east", common.SQL, timeout=40)))
    asking.start()
    wait_for("a session's preamble on the wire", lambda: seen)
    real = seen[0][:64]
    where = address(f.processes["north"].ready)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode, old.maximum_version = False, ssl.CERT_NONE, ssl.TLSVersion.TLSv1_2
    for client in (None, context, old):
        try:
            with socket.create_connection(where, 10) as s:
                s.settimeout(10)
                s.sendall(real)
                if client is None:
                    s.sendall(b"\x16\x03\x01\xff\xff" + os.urandom(3000))
                    select.select([s], [], [], 10)
                else:
                    client.wrap_socket(s)
        except (ssl.SSLError, OSError):
            continue
        expect(client is None, "a stranger's handshake was accepted")
    asking.join(60)
    relay.heal()
    relay.tap = None
    expect(answer["a"].code == 0 and answer["a"].rows() == RIGHT, f"a session that strangers disturbed: {answer['a']}")
    print(f"{'live session: garbage, TLS without key, 1.2':46} the session went on and answered")


# ---- SQL ----


def sql(f):
    n = 10_000
    deep = {"20 KB of text": "SELECT COUNT(*) FROM residents WHERE sex = '" + "x" * 20_000 + "'",
            "10,000 parentheses": "SELECT COUNT(*) FROM residents WHERE " + "(" * n + "sex = 'f'" + ")" * n,
            "2,500 parentheses in 8 KB": "SELECT COUNT(*) FROM residents WHERE " + "(" * 2500 + "sex = 'f'" + ")" * 2500,
            "2,000 NOT": "SELECT COUNT(*) FROM residents WHERE " + "NOT " * 1900 + "sex = 'f'",
            "3,000 additions": "SELECT COUNT(*)" + "+1" * 3000 + " FROM residents",
            "nested CASE": "SELECT " + "CASE WHEN 1=1 THEN " * 300 + "1" + " END" * 300 + " FROM residents",
            "nested subqueries": "SELECT COUNT(*) FROM " + "(SELECT * FROM " * 400 + "residents" + ") x" * 400,
            "3,900 unary minus": "SELECT " + "- " * 3900 + "1 FROM residents"}
    for what, text in deep.items():
        answer = f.query("north", text)
        expect(answer.code not in (0, 1) and answer.code > 0, f"{what}: {answer.code} {answer.err[:300]}")
        expect(answer.err.startswith("parley:") and "xxxxx" not in answer.err, f"{what}: {answer.err[:300]}")
        expect(f.processes["north"].running(), f"{what}: the daemon is gone")
        print(f"{'SQL: ' + what:46} {answer.err.strip().splitlines()[0][:110]}", flush=True)


# ---- CSV ----


def csv_faults(f, folder):
    path = os.path.join(folder, "south.csv")
    with open(path, "rb") as file:
        good = file.read()
    cases = {"type": (b"sex,amount\nf,10\nf,x" + SECRET.encode() + b"\n", [":3:", "amount", "integer"]),
             "quote": (b'sex,amount\nf,10\nf,"' + SECRET.encode() + b"\n", [":3:", "quote"]),
             "text after a quote": (b'sex,amount\n"f"' + SECRET.encode() + b",1\n", [":2:", "quote"]),
             "too many columns": (b"sex,amount\nf,10," + SECRET.encode() + b"\n", [":2:", "field"]),
             "too few columns": (b"sex,amount\nf,10\n" + SECRET.encode() + b"\n", [":3:", "field"]),
             "range": (b"sex,amount\nf,9" + SECRET.encode() + b"99\n", [":2:", "amount", "range"]),
             "declared values": (b"sex,amount\n" + SECRET.encode() + b",1\n", [":2:", "sex", "value"]),
             "NULL": (b"sex,amount\nf,\n", [":2:", "amount", "empty"]),
             "encoding": (b"sex,amount\nf,10\n\xff\xfe" + SECRET.encode() + b",1\n", [":3:", "UTF-8"]),
             "missing column": (b"sex,amoumt\nf,1\n", ["amount"]),
             "empty file": (b"", ["header"])}
    for what, (data, named) in cases.items():
        with open(path, "wb") as file:
            file.write(data)
        before = set(common.job_states(f, "south"))
        answer = f.query("north", common.SQL)
        expect(answer.code != 0, f"CSV {what}: answered")
        reasons = [job["reason"] for job_id, job in common.job_states(f, "south").items() if job_id not in before]
        expect(reasons and all(word in reasons[0] for word in ["south.csv", *named]), f"CSV {what}: the owner is told {reasons}, not {named}")
        expect(SECRET not in answer.err + str(reasons), f"CSV {what}: the value is told")
        print(f"{'CSV: ' + what:46} {reasons[0][-100:]}", flush=True)
    with open(path, "wb") as file:
        file.write(good)
    for base, _, names in os.walk(f.folder):
        for name in filter(lambda name: not name.endswith(".sock"), names):
            with open(os.path.join(base, name), "rb") as file:
                expect(SECRET.encode() not in file.read(), f"the value of a faulty field stands in {name}")


def main(build_bin, make_cert):
    rows = {name: [["f", 10], ["f", 11], ["m", 10]] for name in common.MEMBERS}
    with tempfile.TemporaryDirectory(prefix="parley-edges.") as folder, tempfile.TemporaryDirectory(prefix="parley-data.") as data:
        with Federation(folder, build_bin, common.members(data, rows), relays=True) as f:
            expect_answer(f, "nothing")
            strangers(f, make_cert)
            expect_answer(f, "strangers at the scheduler")
            frames(f)
            expect_answer(f, "frames that are none")
            session_port(f)
            live_session(f)
            sql(f)
            expect_answer(f, "SQL")
            csv_faults(f, data)
            expect_answer(f, "CSV faults")
            for name in common.MEMBERS:
                expect(f.processes[name].running(), f"{name} lives")
        with Federation(folder, build_bin, common.members(data, rows)).started() as f:
            false_schedulers(f, make_cert)
            expect_answer(f, "false schedulers")
        left = common.processes_under(folder)
        expect(not left, f"left behind: {left}")
    print("edges: all refused by name, all daemons alive")


if __name__ == "__main__":
    main(*sys.argv[1:])
