#!/usr/bin/env python3
"""test_bench.py BIN: parley-bench measures every operation, over every transport and over a network between the parties, checks the
results, and what it says fits: fields, bytes and rounds as predicted, the same transcript whatever the transport. Speed is not tested.
Wrong if a result is not checked (the operations' own tests hold them against clear arithmetic too)."""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

FIELDS = ("op scheme bits n transport net lanes seconds_min seconds_median per_second rounds bytes_sent_per_party peak_rss_bytes "
          "limit_ratio machine version").split()
NAMES = "mul and lt eq b2a fixmul fixnear matmul chain shuffle sort div limit".split()


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


class Bench:
    def __init__(self, build_bin):
        self.program = os.path.join(build_bin, "parley-bench")

    def run(self, *words, timeout=120):
        return subprocess.run([self.program, *words], capture_output=True, text=True, timeout=timeout)

    def json(self, *words):
        done = self.run(*words, "--format", "json")
        expect(done.returncode == 0, f"{words}: exit code {done.returncode}: {done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines()]


def fields_and_predictions(bench, names):
    for transport in ("memory", "tcp", "tls"):
        rows = bench.json("suite", "--n", "70", "--runs", "2", "--transport", transport)
        shown = list(dict.fromkeys(row["op"] for row in rows))  # sort stands there twice, for two widths
        expect(shown == names, f"{transport}: {shown}")
        for row in rows:
            missing = [field for field in FIELDS if field not in row]
            expect(not missing, f"{row['op']} has no {missing}")
            expect(row["transport"] == transport and row["n"] == 70 and row["scheme"] == "rep3", f"{row}")
            expect(row["seconds_min"] > 0 and row["seconds_median"] >= row["seconds_min"] and row["peak_rss_bytes"] > 0, f"{row}")
            if row["op"] != "limit":
                expect(row["rounds"] == row["rounds_predicted"], f"{row}")
                expect(row["bytes_sent_per_party"] == row["bytes_predicted_per_party"], f"{row}")


def transcripts(bench):
    """What every party receives is the same over threads, TCP and TLS, and as it was when tests/vectors/transcripts.json was written. A change
    of a protocol changes it: look at the change, then write the file anew with PARLEY_WRITE_TRANSCRIPTS=1."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors", "transcripts.json")
    seen = {}
    for transport in ("memory", "tcp", "tls"):
        for row in bench.json("suite", "--n", "100", "--runs", "1", "--seed", "7", "--transport", transport):
            name = f"{row['op']} {row['bits']}"
            expect(len(set(row["transcript"])) == 3, f"{row}")
            expect(seen.setdefault(name, row["transcript"]) == row["transcript"], f"{name}: another transcript over {transport}")
    if "PARLEY_WRITE_TRANSCRIPTS" in os.environ:
        with open(path, "w") as file:
            json.dump(seen, file, indent=1)
            file.write("\n")
    with open(path) as file:
        stored = json.load(file)
    expect(seen == stored, f"another transcript than the stored one: {[name for name in seen if seen[name] != stored.get(name)]}")


def lanes(bench):
    """Vectors long enough to be shared among lanes, and matrices: as predicted, and the same over every transport. The limit goes over all of
    them, and a net has the rate of one line however many lanes there are."""
    seen = {}
    for transport in ("memory", "tcp", "tls"):
        rows = bench.json("suite", "--n", "8500", "--runs", "1", "--seed", "7", "--lanes", "2", "--transport", transport)
        rows += bench.json("run", "matmul", "--n", "150", "--runs", "1", "--seed", "7", "--lanes", "2", "--transport", transport)
        for row in rows:
            expect(row["lanes"] == 2 and row["limit_ratio"] > 0, f"{row}")
            name = f"{row['op']} {row['bits']}"
            expect(seen.setdefault(name, row["transcript"]) == row["transcript"], f"{name}: another transcript over {transport}")
            if "rounds_predicted" in row:
                expect(row["rounds"] == row["rounds_predicted"], f"{row}")
                expect(row["bytes_sent_per_party"] == row["bytes_predicted_per_party"], f"{row}")
    expect(len(seen) > len(NAMES), f"{list(seen)}")
    one, = bench.json("run", "mul", "--n", "8500", "--runs", "1", "--seed", "7")
    expect(one["transcript"] != seen["mul 64"], "two lanes send what one does: are they there?")
    paced, = bench.json("run", "mul", "--n", "100000", "--runs", "1", "--net", "1ms,80mbit", "--lanes", "3")
    expect(paced["seconds_min"] >= 0.08 * 0.9, f"800 kB at 80 Mbit/s took {paced['seconds_min']} s over three lanes")
    shuffle, = bench.json("run", "shuffle", "--n", "20000", "--runs", "1", "--net", "1ms,80mbit", "--lanes", "4")  # by one lane, which has a quarter
    expect(0.5 < shuffle["limit_ratio"] < 1.1, f"the limit of a shuffle goes by other lanes than the shuffle: {shuffle}")
    csv = bench.run("run", "lt", "--n", "20000", "--runs", "1", "--lanes", "8", "--format", "csv").stdout.splitlines()
    expect(csv[1].split(",")[6] == "8", f"{csv}")


def longer_vectors(bench):
    """Several blocks in flight, and what is left over."""
    for row in bench.json("suite", "--n", "1200", "--runs", "1", "--transport", "memory"):
        expect(row["rounds"] == row["rounds_predicted"], f"{row}")
        expect(row["bytes_sent_per_party"] == row["bytes_predicted_per_party"], f"{row}")


def other_settings(bench):
    for words in (["--bits=32"], ["--scheme", "plain"]):
        rows = bench.json("suite", "--n", "100", "--runs=1", *words)
        expect(len(rows) >= 4, f"{words}: {rows}")
        expect(all((row["limit_ratio"] is None) == (row["scheme"] == "plain") for row in rows), f"{words}: a limit without links: {rows}")
    plain = bench.run("run", "mul", "--scheme", "plain", "--n", "10", "--runs", "1").stdout.splitlines()[-1].split()
    expect(0 < float(plain[3]) < 0.0001 and plain[-1] == "-", f"{plain}")
    short = bench.run("suite", "--bits", "32", "--n", "2000000", "--runs", "1", "--scheme", "plain")
    expect("eq (64 bits only), " in short.stderr and "chain (n up to 1000000)" in short.stderr and short.stdout.count("\n") == 6, f"{short}")
    far, = bench.json("run", "lt", "--n", "2000", "--runs", "1", "--net", "wan")
    expect(far["rounds"] <= 10 and far["seconds_min"] >= far["rounds"] * 0.020 * 0.9, f"wan: {far}")
    expect("tree" in far["form"] and "40 ms" in far["form"], f"wan: {far}")
    paced, = bench.json("run", "mul", "--n", "100000", "--runs", "1", "--net", "1ms,80mbit")
    expect(paced["seconds_min"] >= 0.08 * 0.9, f"800 kB at 80 Mbit/s took {paced['seconds_min']} s")


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition, text):
    for _ in range(400):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(text)


def kills(bench):
    """A party that is killed is said to be; parties do not outlive parley-bench."""
    for kill_all in (False, True):
        words = [bench.program, "run", "mul", "--n", "1000", "--runs", "20", "--net", "1s,1gbit"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
            wait_for(lambda: len(children_of(program.pid)) == 3, "parley-bench started no three parties")
            children = children_of(program.pid)
            os.kill(program.pid if kill_all else children[1], signal.SIGKILL)
            err = program.communicate(timeout=60)[1]
        wait_for(lambda: not any(is_alive(child) for child in children), "parties outlive parley-bench")
        expect(kill_all or (program.returncode == 9 and "party 1 was killed by signal 9" in err), f"{program.returncode}: {err}")


def deadline(bench):
    """It is that of a run: all together may take longer."""
    row, = bench.json("run", "mul", "--n", "100", "--runs", "1", "--deadline", "1", "--net", "150ms,100mbit")
    expect(row["seconds_min"] >= 0.07, f"{row}")


def output(bench):
    """What cannot be written is an error, and what is shown while one waits is shown to people only."""
    for words in (["run", "mul", "--n", "100", "--runs", "1"], ["list"], ["--help"], ["--version"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([bench.program, *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
        expect(done.returncode == 17 and "cannot write the output: No space" in done.stderr, f"{words}: {done}")
    quiet = bench.run("run", "mul", "--n", "100", "--runs", "1")
    expect(quiet.stderr == "", f"{quiet}")
    ours, theirs = os.openpty()
    done = subprocess.run([bench.program, "run", "mul", "--n", "100", "--runs", "1"], stdout=subprocess.PIPE, stderr=theirs, text=True, timeout=60)
    os.close(theirs)
    expect(b"measuring mul, 64 bits, n 100" in os.read(ours, 1000) and "measuring" not in done.stdout, f"{done}")
    os.close(ours)
    expect(bench.run("--version").stdout.startswith("parley-bench "), "no version")


def plots(bench):
    """Refusals come before anything is measured. gnuplot is one of ours, which draws nothing; the folder's name does not get into a script."""
    with tempfile.TemporaryDirectory() as folder:
        def plot(*words, program=True):
            path = {**os.environ, "PATH": folder if program else os.path.join(folder, "none")}
            return subprocess.run([bench.program, "plot", *words], cwd=folder, env=path, capture_output=True, text=True, timeout=60)

        with open(os.path.join(folder, "gnuplot"), "w") as file:
            file.write("#!/bin/sh\n")
        os.chmod(file.name, 0o755)
        for done, said in ((plot("--n", "999"), "plot begins at n = 1000"), (plot("--scheme", "plain"), "--scheme is an option of run, suite"),
                           (plot("--output", ""), "name of a folder"), (plot("--output", "x" * 600), "name of a folder"),
                           (plot(program=False), "gnuplot-nox")):
            expect(done.returncode != 0 and said in done.stderr and done.stdout == "", f"{done}")
        expect(os.listdir(folder) == ["gnuplot"], f"{os.listdir(folder)}")
        with open(file.name, "a") as file:
            file.write('echo "$PWD: $*" >&2\n')
        done = plot("--bits", "32", "--n", "1000", "--runs", "1", "--transport", "memory", "--output", "it's")
        expect(done.returncode == 0 and "it's: plot.gnuplot" in done.stderr, f"{done}")
        with open(os.path.join(folder, "it's", "throughput.dat")) as data:
            named = [line.strip() for line in data if line.startswith('"')]
        expect('"sort"' in named and '"eq"' not in named, f"{named}")


def misuse(bench):
    for words, said in ((["run"], "needs an operation"), (["run", "nonsense"], "no operation 'nonsense'"), (["dance"], "no command 'dance'"),
                        (["run", "mul", "--n", "0"], "from 1 to"), (["run", "mul", "--n"], "needs a value"),
                        (["run", "mul", "--net", "far"], "40ms,100mbit"), (["run", "lt", "--format", "xml"], "table, json, csv"),
                        (["run", "eq", "--bits", "32"], "64 bits only"), (["run", "mul", "--lanes", "9"], "--lanes takes a number from 1 to 8"),
                        (["run", "matmul", "--n", "100000"], "up to"), (["run", "mul", "--speed", "9"], "no option --speed"),
                        (["run", "mul", "--speed=9"], "no option --speed"), (["run", "mul", "--n="], "not ''"),
                        (["run", "mul", "--output", "x"], "--output is an option of plot"), (["list", "--n", "4"], "not of list"),
                        (["run", "mul", "--scheme", "plain", "--net", "wan"], "leave out --net"),
                        (["suite", "--scheme", "plain", "--transport", "tls"], "--transport"),
                        (["run", "mul", "--scheme", "plain", "--lanes", "2"], "--lanes")):
        done = bench.run(*words)
        expect(done.stdout == "", f"{words}: output before a refusal: {done}")
        expect(done.returncode != 0 and said in done.stderr and not done.stderr.startswith("usage"), f"{words}: {done}")
    done = bench.run("--help")
    expect(done.returncode == 0 and "examples:" in done.stdout, f"{done}")


def main():
    bench = Bench(sys.argv[1])
    names = [line.split()[0] for line in bench.run("list").stdout.splitlines()]
    expect(set(NAMES) <= set(names), f"parley-bench list lacks {set(NAMES) - set(names)}")
    fields_and_predictions(bench, names)
    transcripts(bench)
    longer_vectors(bench)
    lanes(bench)
    other_settings(bench)
    table = bench.run("run", "mul", "--n", "1000", "--runs", "1").stdout
    expect("million/s" in table and " yes " in table, table)
    csv = bench.run("run", "mul", "--n", "1000", "--runs", "1", "--format", "csv").stdout.splitlines()
    expect(len(csv) == 2 and csv[0].startswith("op,scheme,bits"), f"{csv}")
    expect("bytes_sent_party_0,bytes_sent_party_1,bytes_sent_party_2" in csv[0] and ",8000,8000,8000," in csv[1], f"{csv}")
    kills(bench)
    deadline(bench)
    output(bench)
    plots(bench)
    misuse(bench)
    print("parley-bench: right")


if __name__ == "__main__":
    main()
