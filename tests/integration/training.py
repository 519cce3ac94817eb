"""What the suites on training share: hospitals with a part of examples/data/tumours-*.csv, a task, and the same training in plain Python on
the pooled rows: full-batch gradient descent on features standardised by the moments of all training rows. It is written from the
description in node/session/README.md, not from the code."""

import csv
import hashlib
import json
import math
import os

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
FEATURES = ["mean_radius", "mean_texture", "mean_smoothness", "error_area", "worst_concave_points", "worst_symmetry"]
RANGES = {"mean_radius": "50", "mean_texture": "50", "mean_perimeter": "300", "mean_area": "5000", "mean_smoothness": "0.2",
          "error_area": "1000", "worst_concave_points": "0.5", "worst_symmetry": "1"}


def rows_of(hospital):
    with open(os.path.join(ROOT, "examples", "data", f"tumours-{hospital}.csv"), encoding="utf-8") as file:
        return list(csv.DictReader(file))


def dataset(path, features=FEATURES, rows_max=10000, ranges=None):
    ranges = {**RANGES, **(ranges or {})}
    columns = [{"name": "patient", "type": "integer", "range": ["1", "1000000"]},
               {"name": "diagnosis", "type": "text", "values": ["malignant", "benign"], "nullable": True}]
    for name in features:
        column = {"name": name, "type": "real", "nullable": True}
        if ranges.get(name):
            column["range"] = ["0", ranges[name]]
        columns.append(column)
    return {"name": "tumours", "title": "test", "schema_version": 1, "rows_max": rows_max, "source": {"csv": path},
            "columns": columns}


def policy(name, features=FEATURES, cohort=0, rights=None):
    columns = {c: ["train"] for c in ["patient", "diagnosis", *features]}
    columns.update(rights or {})
    return {"policy": 1, "org": name,
            "rules": [{"dataset": "tumours", "members": "any", "purposes": ["test"], "columns": columns, "cohort": cohort,
                       "approval": "automatic", "protocols": ["rep3"], "compute": "any"}],
            "take_part": {"members": "any", "purposes": "any", "kinds": ["query", "bench", "train"], "protocols": ["rep3"],
                          "compute": "any", "approval": "automatic"}}


def write_rows(path, rows, features=FEATURES):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["patient", *features, "diagnosis"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def members(folder, parts, features=FEATURES, cohort=0, rights=None, rows_max=10000, ranges=None, session_seconds=40):
    """parts: {member: rows}; a member with None has no data."""
    made = {}
    for name, rows in parts.items():
        made[name] = {"datasets": [], "limits": {"session_seconds": session_seconds, "lanes": 2},
                      "policy": {"take_part": policy(name)["take_part"]}}
        if rows is None:
            continue
        path = os.path.join(folder, name + "-tumours.csv")
        write_rows(path, rows, features)
        made[name]["datasets"] = [dataset(path, features, rows_max, ranges)]
        made[name]["policy"] = policy(name, features, cohort, (rights or {}).get(name))
    return made


def task(folder, name="task.yaml", **changes):
    """A task file; YAML is written as JSON, a key per line."""
    keys = {"dataset": "tumours", "label": "diagnosis", "positive": "malignant", "features": FEATURES, "purpose": "test",
            "split": {"key": "patient", "salt": "s1", "holdout": 0.2}, "rounds": 20, "learning_rate": 0.3, "l2": 0.01, **changes}
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write("".join(f"{key}: {json.dumps(value)}\n" for key, value in keys.items() if value is not None))
    return path, keys


# ---- the same training on the pooled rows ----

def held_out(key, split):
    digest = hashlib.sha256(b"parley/1/split\0" + split["salt"].encode() + b"\0" + str(key).encode()).digest()
    return int.from_bytes(digest[:4], "big") * 1000000 < round(split["holdout"] * 1e6) * 2**32


def sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def softplus(x):
    return max(x, 0) + math.log1p(math.exp(-abs(x)))


def score(w, rows):
    """Mean loss and accuracy."""
    loss = correct = 0
    for z, y in rows:
        logit = w[-1] + math.fsum(a * b for a, b in zip(w, z))
        loss += min(softplus(-logit if y else logit), 64)
        correct += (logit > 0) == y
    return loss / len(rows), correct / len(rows)


def auc(w, rows):
    logits = [(w[-1] + math.fsum(a * b for a, b in zip(w, z)), y) for z, y in rows]
    positive = [s for s, y in logits if y]
    negative = [s for s, y in logits if not y]
    wins = sum((p > n) + 0.5 * (p == n) for p in positive for n in negative)
    return wins / (len(positive) * len(negative))


def train(rows, keys):
    """rows of all owners. Returns model, means, deviations, curve, held-out loss, accuracy, AUC."""
    features, split = keys["features"], keys["split"]
    used = [r for r in rows if all(r[c] != "" for c in ["patient", "diagnosis", *features])]
    parts = ([], [])
    for r in used:
        parts[held_out(r["patient"], split)].append(([float(r[c]) for c in features], r["diagnosis"] == "malignant"))
    n, d = len(parts[0]), len(features)
    mean = [math.fsum(x[k] for x, _ in parts[0]) / n for k in range(d)]
    deviation = [math.sqrt(math.fsum((x[k] - mean[k]) ** 2 for x, _ in parts[0]) / n) for k in range(d)]
    fit, held = ([([(x[k] - mean[k]) / deviation[k] if deviation[k] else 0 for k in range(d)], y) for x, y in part]
                 for part in parts)
    w, curve = [0.0] * (d + 1), []
    for _ in range(keys["rounds"]):
        curve.append(score(w, fit))
        gradient = [0.0] * (d + 1)
        for z, y in fit:
            residual = sigmoid(w[-1] + math.fsum(a * b for a, b in zip(w, z))) - y
            for k in range(d):
                gradient[k] += residual * z[k]
            gradient[d] += residual
        w = [w[k] - keys["learning_rate"] * (gradient[k] / n + (keys["l2"] * w[k] if k < d else 0)) for k in range(d + 1)]
    curve.append(score(w, fit))
    return {"w": w, "mean": mean, "deviation": deviation, "curve": curve, "rows": n, "held": len(held),
            "holdout": score(w, held), "auc": auc(w, held)}


# ---- comparing ----

def distance(model, pooled):
    """Euclidean, over all weights and the intercept."""
    got = [f["weight"] for f in model["features"]] + [model["intercept"]]
    return math.sqrt(sum((a - b) ** 2 for a, b in zip(got, pooled["w"], strict=True)))


def differences(answer, pooled):
    """What is wrong with parley's answer (its JSON), as texts; none: it equals the pooled training within the stated bounds."""
    model, metrics, wrong = answer["model"], answer["metrics"], []
    off, bound = distance(model, pooled), metrics["error_bound"]
    if bound is None or not off <= bound:
        wrong.append(f"the model is off by {off}, the bound is {bound}")
    if metrics["rows"] != pooled["rows"] or metrics["holdout"]["rows"] != pooled["held"]:
        wrong.append(f"rows {metrics['rows']} and {metrics['holdout']['rows']}, pooled {pooled['rows']} and {pooled['held']}")
    for k, f in enumerate(model["features"]):
        scale = pooled["deviation"][k] or 1
        if abs(f["mean"] - pooled["mean"][k]) > 1e-7 * scale or abs(f["deviation"] - pooled["deviation"][k]) > 1e-7 * scale:
            wrong.append(f"moments of {f['name']}")
    for point, (loss, accuracy) in zip(metrics["curve"], pooled["curve"], strict=True):
        if abs(point["loss"] - loss) > 1e-7 or abs(point["accuracy"] - accuracy) > 1e-12:
            wrong.append(f"round {point['round']}: {point['loss']}, {point['accuracy']}; pooled {loss}, {accuracy}")
    holdout = metrics["holdout"]
    if abs(holdout["loss"] - pooled["holdout"][0]) > 1e-7 or abs(holdout["accuracy"] - pooled["holdout"][1]) > 1e-12:
        wrong.append(f"held out: {holdout['loss']}, {holdout['accuracy']}; pooled {pooled['holdout']}")
    if abs(holdout["auc"] - pooled["auc"]) > holdout["auc_error"] + 1e-12:
        wrong.append(f"AUC {holdout['auc']} within {holdout['auc_error']}, exact {pooled['auc']}")
    return wrong
