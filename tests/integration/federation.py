"""A federation of real processes for tests: one scheduler and several nodes on loopback, in a folder of its own.

    with Federation(folder, build_bin, members) as federation:    # keys, manifest, policies; then start()
        answer = federation.query("north", "SELECT COUNT(*) FROM t")
        federation.kill("north"); federation.restart("north")

members: {name: {"datasets": [...], "policy": {...}}}; a dataset is what stands in parleyd.yaml, its "source" {"csv": PATH}. YAML is
written as JSON, which it contains. Every process has a process group of its own; stop() ends each by its id, first in order, then by
force, and says which had to be forced. Nothing sleeps: readiness is the line that a program prints.
"""

import csv
import io
import json
import os
import select
import signal
import subprocess
import time

from relay import Relay

READY_SECONDS = 30
STOP_SECONDS = 10


class FederationError(Exception):
    pass


class Answer:
    """What `parley` printed: code (its exit code), out, err; rows() reads CSV, with None for NULL."""

    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    def header(self):
        return next(csv.reader(io.StringIO(self.out)))

    def rows(self):
        return _csv_rows(self.out)[1:]

    def __repr__(self):
        return f"exit code {self.code}\n{self.out}{self.err}"


def _csv_rows(text):
    """RFC 4180; an unquoted empty field is None, a quoted one the empty text."""
    rows, row, field, quoted, i = [], [], "", False, 0

    def end_field():
        nonlocal field, quoted
        row.append(field if field or quoted else None)
        field, quoted = "", False

    while i < len(text):
        c = text[i]
        if c == '"' and not field and not quoted:
            quoted, i = True, i + 1
            while True:
                if i >= len(text):
                    raise FederationError("csv: a quote is not closed")
                if text[i] == '"' and text[i + 1 : i + 2] == '"':
                    field, i = field + '"', i + 2
                elif text[i] == '"':
                    i += 1
                    break
                else:
                    field, i = field + text[i], i + 1
            continue
        if c == ",":
            end_field()
        elif c == "\n":
            end_field()
            rows.append(row)
            row = []
        elif c != "\r":
            field += c
        i += 1
    return rows


def _host_port(text):
    host, port = text.split()[-1].rsplit(":", 1)
    return host, int(port)


class Process:
    """A program in its own process group; its stderr goes to a log, its stdout is read until the line of readiness."""

    def __init__(self, name, command, log, environment=None):
        self.name, self.log_path, self.forced = name, log, False
        with open(log, "ab") as stderr:
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr,
                                          start_new_session=True, env={**os.environ, **(environment or {})})
        try:
            self.ready = self._wait_ready()
        except BaseException:
            self.stop()
            raise

    def _wait_ready(self):
        text, end = b"", time.monotonic() + READY_SECONDS
        while b"\n" not in text:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.child.stdout], [], [], left)[0]:
                raise FederationError(f"{self.name} was not ready within {READY_SECONDS} s\n{self.log()}")
            piece = os.read(self.child.stdout.fileno(), 4096)
            if not piece:
                raise FederationError(f"{self.name} ended with {self.child.wait(STOP_SECONDS)} before it was ready\n{self.log()}")
            text += piece
        return text.decode().splitlines()[0]

    @property
    def pid(self):
        return self.child.pid

    def running(self):
        return self.child.poll() is None

    def signal(self, number):
        if self.running():
            os.kill(self.child.pid, number)

    def stop(self):
        """SIGTERM, then SIGKILL for the whole group; returns the exit code."""
        self.signal(signal.SIGTERM)
        try:
            self.child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.forced = True
        try:
            os.killpg(self.child.pid, signal.SIGKILL)  # workers that outlived it
        except ProcessLookupError:
            pass
        code = self.child.wait(STOP_SECONDS)
        self.child.stdout.close()
        return code

    def log(self, lines=40):
        with open(self.log_path, errors="replace") as file:
            return f"---- the end of {self.log_path}:\n" + "".join(file.readlines()[-lines:])


class Federation:
    """relays: every connection goes through a relay, for a test to disturb or to listen to: session_relays[name] stands before the node's
    session port, uplink_relays[name] between the node and the scheduler.
    programs: {name: path} of a program that runs in the place of parleyd or parley-scheduler."""

    def __init__(self, folder, build_bin, members, threshold=None, compute=None, environment=None, relays=False, programs=None,
                 command_leaks=False):
        self.programs = programs or {}
        self.session_relays = {name: Relay() for name in members} if relays else {}
        self.uplink_relays = {name: Relay() for name in members} if relays else {}
        self.folder, self.bin, self.members = os.fspath(folder), os.fspath(build_bin), members
        self.threshold = threshold or len(members)
        self.compute = compute or list(members)[:3]
        self.environment = dict(environment or {})
        # A sanitizer looks for leaks when a process ends, which takes as long as the command itself: only where it is asked for.
        self.command_environment = {} if command_leaks else {"ASAN_OPTIONS": "detect_leaks=0:quarantine_size_mb=16"}
        self.processes = {}
        self.failures = []
        self.created = False

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    # ---- making ----

    def create(self):
        """Keys, manifest, configuration, signed policies."""
        os.makedirs(self.path("keys"), exist_ok=True)
        for name, member in self.members.items():
            os.makedirs(self.path(name), exist_ok=True)
            self.admin("org", "create", self.path("keys", name), "--name", name, "--group", member.get("group", name),
                       "--endpoint", "127.0.0.1:7101")
            self._write(name + ".yaml", self._config(name, member, "127.0.0.1:1"))
            self._write(name + "-policy.yaml", self._policy(name, member))
        words = []
        for name in self.members:
            words += ["--member", self.path("keys", name, "member.pb")]
        self.admin("federation", "create", self.path("federation.manifest"), "--name", "test", "--threshold",
                   str(self.threshold), *words)
        for name in self.members:
            self.admin("federation", "sign", self.path("federation.manifest"), "--org", self.path("keys", name))
            self.sign_policy(name)
        self.admin("scheduler", "create", self.path("scheduler"))
        self._write("scheduler.yaml", self._scheduler("127.0.0.1:0"))

    def _write(self, name, value):
        with open(self.path(name), "w", encoding="utf-8") as file:
            json.dump(value, file, ensure_ascii=False, indent=1)

    def _config(self, name, member, scheduler):
        limits = {"sessions": 4, "memory_mb": 1024, "job_seconds": 86400, "session_seconds": 60, **member.get("limits", {})}
        session = {"listen": "127.0.0.1:0"}
        if self.session_relays:
            session["advertise"] = [self.session_relays[name].address]
            scheduler = self.uplink_relays[name].address
        return {"org": f"keys/{name}", "federation": "federation.manifest", "state": f"{name}/state",
                "sockets": f"{name}/run", "scheduler": {"address": scheduler, "certificate": "scheduler/scheduler.crt"},
                "session": session, "policy": f"{name}-policy.yaml", "limits": limits,
                "datasets": member.get("datasets", [])}

    def _scheduler(self, listen):
        return {"listen": listen, "certificate": "scheduler/scheduler.crt", "key": "scheduler/scheduler.key",
                "manifest": "federation.manifest", "state": "scheduler/state"}

    def _policy(self, name, member):
        """The policy given, or one that lets every member aggregate, group, filter by, train on and see the extremes of everything, with no least cohort."""
        rules = [{"dataset": d["name"], "members": "any", "purposes": ["test"],
                  "columns": {"*": ["aggregate"],
                              **{c["name"]: ["aggregate", "group_key", "filter", "train", "extreme"] for c in d["columns"]}},
                  "cohort": member.get("cohort", 0), "approval": member.get("approval", "automatic"),
                  "protocols": ["rep3"], "compute": "any",
                  **({"uses": member["uses"]} if "uses" in member else {})} for d in member.get("datasets", [])]
        policy = {"policy": 1, "org": name, "rules": rules,
                  "take_part": {"members": "any", "purposes": "any", "kinds": ["query", "bench", "train"],
                                "protocols": ["rep3"], "compute": "any", "approval": "automatic"}}
        policy.update(member.get("policy", {}))
        return policy

    def sign_policy(self, name):
        self.admin("policy", "sign", self.path(name + "-policy.yaml"), "--org", self.path("keys", name))

    def admin(self, *words):
        """A command of `parley` that needs no node; it must succeed."""
        done = self.parley(None, *words)
        if done.code != 0:
            raise FederationError(f"parley {' '.join(words[:2])}: {done}")
        return done

    # ---- running ----

    def start(self, only=None):
        """Starts the scheduler and all members, or those named."""
        if "scheduler" not in self.processes:
            self.restart("scheduler")
        for name in only or self.members:
            self.restart(name)
        if not only:
            self.wait_online()

    def wait_online(self, seconds=20):
        """Returns when every node sees all others."""
        for name in self.members:
            seen = self.parley(name, "status", "--wait", str(seconds), timeout=seconds + 15)
            if seen.code != 0:
                raise FederationError(f"{name} does not see all members: {seen}")

    def restart(self, name):
        """Starts what does not run; the scheduler keeps its port."""
        if name in self.processes and self.processes[name].running():
            raise FederationError(f"{name} still runs")
        program = "parley-scheduler" if name == "scheduler" else "parleyd"
        process = Process(name, [self.programs.get(name, os.path.join(self.bin, program)), "--config", self.path(name + ".yaml")],
                          self.path(name + ".log"), self.environment)
        if name in self.processes:
            self.processes[name].child.stdout.close()
        self.processes[name] = process
        if name in self.session_relays:
            self.session_relays[name].target = _host_port(process.ready)
        if name == "scheduler":
            address = process.ready.split()[-1]
            for relay in self.uplink_relays.values():
                relay.target = _host_port(address)
            self._write("scheduler.yaml", self._scheduler(address))
            for member in self.members:
                self._write(member + ".yaml", self._config(member, self.members[member], address))

    def kill(self, name):
        """kill -9; its children must notice by themselves."""
        self.processes[name].signal(signal.SIGKILL)
        self.processes[name].child.wait(STOP_SECONDS)

    def stop(self):
        """Ends every process, nodes first. Exit codes other than 0 of processes that ran are collected in failures."""
        for name in sorted(self.processes, key=lambda n: n == "scheduler"):
            process = self.processes[name]
            was_running = process.running()
            code = process.stop()
            if was_running and (code != 0 or process.forced):
                self.failures.append(f"{name} ended with {code}" + (", by force" if process.forced else ""))
        self.processes = {}
        for relay in [*self.session_relays.values(), *self.uplink_relays.values()]:
            relay.close()

    # ---- using ----

    def parley(self, member, *words, timeout=60, text_in=None):
        environment = {**os.environ, **self.command_environment, **self.environment, "PARLEY_NODE": self.path(member, "run") if member else ""}
        done = subprocess.run([os.path.join(self.bin, "parley"), *words], input=text_in, capture_output=True,
                              encoding="utf-8", env=environment, timeout=timeout, check=False)
        return Answer(done)

    def query(self, member, sql, purpose="test", output="csv", timeout=60, options=()):
        return self.parley(member, "query", "--file", "-", "--purpose", purpose, "--compute", ",".join(self.compute),
                           "--format", output, "--timeout", str(timeout), *options, timeout=timeout + 15, text_in=sql)

    def logs(self, lines=40):
        return "\n".join(p.log(lines) for p in self.processes.values())

    def started(self):
        """For `with`: as the constructor, but keys, policies and state are those that are there."""
        self.created = True
        return self

    def __enter__(self):
        try:
            if not self.created:
                self.create()
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind, value, traceback):
        if kind is not None:
            print(self.logs())
        self.stop()
        if kind is None and self.failures:
            raise FederationError("; ".join(self.failures))
