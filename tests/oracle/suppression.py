"""The cohort rule through real nodes. A cell is shown if and only if it has rows and, for every count c of the query (rows, and values that
are not NULL) and every member j, both c and c without j's part are 0 or at least k. The expectation is computed here from the rows,
member by member. The two deciding cells are named: one that only the sum of all would let pass (so that a recipient could
subtract its own rows), and one whose rows suffice but whose incomes do not."""

import json
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "integration")]
from federation import Federation  # noqa: E402

K = 4
#         cell: {owner: (rows, of which have an income)}
CELLS = {"enough":   {"north": (5, 5), "south": (6, 6), "east": (7, 7)},
         "alone":    {"north": (4, 4)},                                     # others see k, north sees nothing of others: shown
         "few":      {"north": (1, 1), "south": (1, 1), "east": (1, 1)},    # less than k altogether
         "subtract": {"north": (9, 9), "south": (3, 3)},                    # 12 rows, but north can subtract its 9
         "last":     {"east": (3, 3)},                                      # one less than k
         "exact":    {"north": (2, 2), "south": (2, 2), "east": (2, 2)},    # 6, and 4 without anyone: shown
         "hidden":   {"north": (4, 4), "south": (4, 1), "east": (4, 0)},    # rows suffice; incomes without north: 1
         "unpaid":   {"north": (4, 0), "south": (4, 0), "east": (4, 0)},    # no income at all: 0 is fit
         "empty":    {}}
MEMBERS = ["north", "south", "east"]


def fit(counts):
    total = sum(counts)
    return all(n == 0 or n >= K for n in [total] + [total - c for c in counts])


def expected(with_income):
    """{cell: (rows, incomes)} of the cells that may be shown."""
    shown = {}
    for cell, parts in CELLS.items():
        rows = [parts.get(m, (0, 0))[0] for m in MEMBERS]
        incomes = [parts.get(m, (0, 0))[1] for m in MEMBERS]
        if sum(rows) > 0 and fit(rows) and (not with_income or fit(incomes)):
            shown[cell] = (sum(rows), sum(incomes))
    return shown


def write(folder, member):
    path = os.path.join(folder, member + ".csv")
    with open(path, "w", encoding="utf-8") as file:
        file.write("cell,income\n")
        for cell, parts in CELLS.items():
            rows, incomes = parts.get(member, (0, 0))
            file.write("".join(f"{cell},{'10' if i < incomes else ''}\n" for i in range(rows)))
    return {"name": "t", "title": "t", "schema_version": 1, "rows_max": 1000, "source": {"csv": path, "encoding": "utf-8"},
            "columns": [{"name": "cell", "source": "cell", "type": "text", "values": list(CELLS)},
                        {"name": "income", "source": "income", "type": "integer", "range": ["0", "100"], "nullable": True}]}


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def ask(federation, member, sql):
    answer = federation.query(member, sql, output="json")
    check(answer.code == 0, f"{sql}: {answer}")
    return json.loads(answer.out)


def main(build_bin):
    # What the table above says of itself, so that a wrong rule here is not taken over unseen.
    check(set(expected(False)) == {"enough", "alone", "exact", "hidden", "unpaid"}, "the table of cells")
    check(set(expected(True)) == {"enough", "alone", "exact", "unpaid"}, "the table of cells, with incomes")
    with tempfile.TemporaryDirectory(prefix="parley-suppression.") as folder:
        members = {m: {"datasets": [write(folder, m)], "cohort": K} for m in MEMBERS}
        with Federation(folder, build_bin, members) as federation:
            for member in MEMBERS:  # whoever asks, the same cells
                got = ask(federation, member, "SELECT cell, COUNT(*) FROM t GROUP BY cell")
                check({r[0]: int(r[1]) for r in got["rows"]} == {c: v[0] for c, v in expected(False).items()},
                      f"rows shown to {member}: {got}")
                check(got["cells_withheld"] == len(CELLS) - len(expected(False)), f"cells withheld: {got}")
                check(got["cells"] == len(CELLS) and "withheld" in got["note"], f"the note: {got}")
            got = ask(federation, "south", "SELECT cell, COUNT(*), COUNT(income), SUM(income) FROM t GROUP BY cell")
            check({r[0]: (int(r[1]), int(r[2]), r[3]) for r in got["rows"]} ==
                  {c: (n, i, str(10 * i) if i else None) for c, (n, i) in expected(True).items()}, f"with incomes: {got}")
            # An ungrouped result is a cell too, and a filter does not get round the rule.
            got = ask(federation, "south", "SELECT COUNT(*) FROM t WHERE cell = 'subtract'")
            check(got["rows"] == [] and got["cells_withheld"] == 1, f"an ungrouped small count: {got}")
            got = ask(federation, "east", "SELECT COUNT(*) FROM t WHERE cell = 'exact'")
            check(got["rows"] == [["6"]], f"an ungrouped count that is fit: {got}")
            got = ask(federation, "east", "SELECT COUNT(*) FROM t WHERE cell = 'empty'")
            check(got["rows"] == [] and got["cells_withheld"] == 1, f"an empty cell looks like a withheld one: {got}")
            # HAVING and ORDER BY see shown cells only.
            got = ask(federation, "north", "SELECT cell, COUNT(*) FROM t GROUP BY cell HAVING COUNT(*) < 6 ORDER BY COUNT(*)")
            check(got["rows"] == [["alone", "4"]], f"HAVING over small cells: {got}")
    print("suppression: every cell as the rule has it")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
