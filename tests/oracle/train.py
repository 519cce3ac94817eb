"""A model trained by federated averaging between real nodes must be the one that the same algorithm gives on the pooled rows, within the
bound that comes with it; and what may not be trained is refused, with the rule, the line or the cause named.

It could be wrong if the bound said nothing (it must stay under 1e-5), or if the pooled training shared code with the nodes (it is
plain Python, tests/integration/training.py)."""

import json
import os
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "integration")]
import training  # noqa: E402
from federation import Federation  # noqa: E402
from kills import settled  # noqa: E402

HOSPITALS = ("north", "south", "east")
BOUND_MAX = 1e-5


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


def train(f, path, member="north"):
    return f.parley(member, "train", path, "--json", "--timeout", "60", timeout=90)


def equal(f, path, keys, rows, name, member="north"):
    began = time.monotonic()
    answer = train(f, path, member)
    expect(answer.code == 0, f"{name}: {answer}")
    took = time.monotonic() - began
    got, pooled = json.loads(answer.out), training.train(rows, keys)
    wrong = training.differences(got, pooled)
    expect(not wrong, f"{name}:\n  " + "\n  ".join(wrong))
    bound = got["metrics"]["error_bound"]
    expect(bound < BOUND_MAX, f"{name}: the bound {bound} says nothing")
    signed = [p["org"] for p in got["receipt"]["parties"]]
    expect(signed == sorted(f.members), f"{name}: the receipt names {signed}")
    print(f"{name}: distance {training.distance(got['model'], pooled):.2e}, bound {bound:.2e}; AUC {got['metrics']['holdout']['auc']:.5f}"
          f" within {got['metrics']['holdout']['auc_error']:.5f}, exact {pooled['auc']:.5f}; {took:.1f} s", flush=True)
    return got


def refused(f, path, name, *texts):
    answer = train(f, path)
    expect(answer.code != 0, f"{name}: was not refused: {answer}")
    said = answer.out + answer.err
    for text in texts:
        expect(text in said, f"{name}: does not say \"{text}\": {said}")
    print(f"{name}: {json.loads(answer.out)['error']['message']}", flush=True)


def in_federation(build_bin, parts, then, **options):
    with tempfile.TemporaryDirectory(prefix="parley-train.") as folder:
        with Federation(folder, build_bin, training.members(folder, parts, **options)) as f:
            then(f, folder)


def same_as_pooled(f, folder):
    rows = [r for hospital in HOSPITALS for r in training.rows_of(hospital)]
    path, keys = training.task(folder)
    equal(f, path, keys, rows, "three owners, k = 10")
    path, keys = training.task(folder, rounds=3, learning_rate=0.5, l2=0, split={"key": "patient", "salt": "", "holdout": 0.5},
                               features=["worst_symmetry"], compute=["east", "north", "south"], recipients=["south"])
    equal(f, path, keys, rows, "one feature, half held out", "south")
    refusals(f, folder)
    on_the_command_line(f, folder)


def on_the_command_line(f, folder):
    path, _ = training.task(folder, rounds=5)
    explained = f.parley("north", "train", path, "--explain")
    for text in ("Training  logistic regression of diagnosis", "cohort rule is decided (k = 10)", "north.tumours: train on",
                 f"{5 * (len(training.FEATURES) + 1)} values  sum of the weighted updates"):
        expect(explained.code == 0 and text in explained.out, f"--explain does not say {text}: {explained}")
    model = os.path.join(folder, "model.json")
    shown = f.parley("north", "train", path, "--output", model)
    expect(shown.code == 0 and "accuracy  0." in shown.out and "AUC 0." in shown.out and "(intercept)" in shown.out, f"shown: {shown}")
    with open(model, encoding="utf-8") as file:
        expect(set(json.load(file)) == {"job_id", "model", "metrics", "receipt"}, "what is in the file")
    job = f.parley("north", "train", path, "--detach").out.strip()
    seen = json.loads(f.parley("north", "job", "show", job, "--json").out)
    expect(seen["kind"] == "train" and seen["purpose"] == "test", f"job show: {seen}")
    unwritten = f.parley("north", "train", path, "--output", os.path.join(folder, "no", "such", "folder"))
    expect(unwritten.code != 0 and "cannot write" in unwritten.err, f"a file that cannot be written: {unwritten}")
    expect(settled(f, "north", job)["state"] == "released", "the detached job")
    result = f.parley("north", "job", "result", job, "--json")
    expect(result.code == 0 and len(json.loads(result.out)["model"]["features"]) == len(training.FEATURES), f"job result: {result}")
    settled(f, "south", job)
    south = f.parley("south", "job", "result", job, "--format", "csv")
    expect(south.code == 0 and south.out.startswith("feature,weight,mean,deviation"), f"every owner has the model: {south}")
    missing = f.parley("north", "train", os.path.join(folder, "nowhere.yaml"))
    expect(missing.code != 0 and "nowhere.yaml" in missing.err, f"no file: {missing}")


def refusals(f, folder):
    refused(f, training.task(folder, purpose="curiosity")[0], "purpose", "does not allow the purpose curiosity")
    refused(f, training.task(folder, features=["mean_radius", "shoe_size"])[0], "unknown column",
            "task.yaml:4: column shoe_size does not exist")
    refused(f, training.task(folder, features=["mean_radius", "patient"], rouns=5)[0], "unknown key", "task.yaml:10", "rouns")
    refused(f, training.task(folder, rounds=0)[0], "no rounds", "task.yaml:7: ")
    refused(f, training.task(folder, positive=None)[0], "text label", "task.yaml:2: label diagnosis is text", "positive")
    refused(f, training.task(folder, learning_rate=50, l2=1)[0], "overshooting", "task.yaml:9: learning_rate times l2")


def unequal(f, folder):
    """Two owners and a third that only computes; rows with NULL and a feature that never varies."""
    rows = {name: training.rows_of(name) for name in ("north", "south")}
    path, keys = training.task(folder, rounds=10, compute=["extra", "south", "north"])
    equal(f, path, keys, change(rows["north"]) + rows["south"][:37], "two owners of unequal size, a third that computes")


def change(rows):
    changed = [dict(r) for r in rows]
    for i, r in enumerate(changed):
        if i % 11 == 0:
            r["mean_texture"] = ""
        if i % 13 == 0:
            r["diagnosis"] = ""
    return changed


def too_few(f, folder):
    refused(f, training.task(folder)[0], "cohort", "the cohort rule does not hold", "fewer than 10")
    state = json.loads(f.parley("north", "job", "list", "--json").out)[0]
    expect(state["error_code"] == "REFUSED", f"cohort: the job ended with {state['error_code']}")


def no_right(f, folder):
    refused(f, training.task(folder)[0], "right", "tumours.mean_texture", "aggregate", "train")


def overflow(f, folder):
    refused(f, training.task(folder)[0], "overflow", "task.yaml:4: feature mean_texture has no declared range")


def too_many_rows(f, folder):
    refused(f, training.task(folder)[0], "overflow by rows", "task.yaml:1: the owners of tumours declare more than 1073741824 rows")


def main(build_bin):
    parts = {name: training.rows_of(name) for name in HOSPITALS}
    small = {"north": parts["north"], "south": parts["south"][:9], "east": None}
    in_federation(build_bin, parts, same_as_pooled, cohort=10)
    in_federation(build_bin, {"north": change(parts["north"]), "south": parts["south"][:37], "extra": None}, unequal)
    in_federation(build_bin, small, too_few, cohort=10)
    in_federation(build_bin, parts, no_right, rights={"south": {"mean_texture": ["aggregate"]}})
    in_federation(build_bin, parts, overflow, ranges={"mean_texture": None})
    in_federation(build_bin, parts, too_many_rows, rows_max=1 << 40)
    print("train: equal to the pooled training within the bound, and every refusal named")


if __name__ == "__main__":
    main(sys.argv[1])
