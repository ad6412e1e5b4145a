"""Two systems prompt by prompt: the table of the page and its file."""

import csv
import dataclasses
import io
import itertools
import json

import pytest

from tbstar_jax.evaluation.report.album import Album
from tbstar_jax.evaluation.report.figures import figures
from tbstar_jax.evaluation.report.page import report_html
from tbstar_jax.evaluation.run.head_to_head import head_to_head, to_csv
from tbstar_jax.evaluation.run.results import to_json
from tests.evaluation.report.contents import CONFIG, content, records
from tests.evaluation.report.pages import Page

TITLE = "Differences by prompt, mean over tasks, with intervals"


def page_of(pairs, readers=None, rows=None):
    made = content(rows=rows)
    runs = {name: {"tools": {"ocr": one}} for name, one in (readers or {}).items()}
    results = dataclasses.replace(made.results, head_to_head=pairs, runs=runs)
    made = dataclasses.replace(made, results=results)
    return Page(report_html(made, figures(made), Album())), results


def test_a_difference_by_prompt_has_its_interval_and_who_is_better():
    # A third of the prompts is a tie, a third is worse.
    first = [
        dataclasses.replace(
            row,
            consistency=row.consistency
            + {"000": 0.3, "001": 0, "002": -0.1}[row.case[-3:]],
        )
        for row in records("ours")
    ]
    pairs = head_to_head(first, records("other"), CONFIG)
    page, results = page_of(pairs)
    heads, *rows = page.cells[TITLE]
    assert heads[3:6] == ["better", "tie", "worse"]
    assert [row[:2] for row in rows] == [["ours minus other", one] for one in "CEP"]
    c, e, _ = rows
    assert c[2].startswith("+0.067")
    assert c[3:6] == ["33 %", "33 %", "33 %"]
    assert c[-1] == "18"
    assert e[2:7] == ["0.0000.000 to 0.000", "0 %", "100 %", "0 %", "1.000"]
    macro = pairs[0].found.macro
    for end in ("mean", "low", "high"):
        exact, _ = page.numbers[f"ours minus other|consistency|macro|{end}"]
        assert exact == getattr(macro, end)
    stored = json.loads(to_json(results))["head_to_head"][0]
    assert stored["found"]["macro"]["mean"] == macro.mean == pytest.approx(0.2 / 3)
    assert (stored["first"], stored["second"]) == ("ours", "other")
    assert "a tie is within 0.01" in page.text
    assert "pairs of systems are shown" not in page.text
    assert "different programs" not in page.text


def test_the_file_has_what_the_table_has():
    pairs = head_to_head(records("=ours", 0.1), records("other"), CONFIG)
    rows = list(csv.DictReader(io.StringIO(to_csv(pairs))))
    assert [row["measure"] for row in rows] == ["consistency", "edit", "preservation"]
    (row, *_) = rows
    assert row["first"] == "'=ours"
    assert float(row["difference"]) == pytest.approx(0.1)
    assert [row[name] for name in ("better", "tie", "worse")] == ["1.0", "0.0", "0.0"]
    assert (row["num_prompts"], row["num_cases"]) == ("18", "9")
    single = head_to_head(
        records("a", tasks=("recolor",))[:1], records("b")[6:7], CONFIG
    )
    (row, *_) = csv.DictReader(io.StringIO(to_csv(single)))
    assert row["low"] == ""  # one case says nothing of a spread


def test_systems_without_a_common_prompt_are_in_no_comparison():
    apart = records("a", tasks=("recolor",)), records("b", tasks=("bg_white",))
    assert head_to_head(*apart, CONFIG) == []
    page, _ = page_of([])
    assert "Head to head: no two of the systems have a prompt in common." in page.text
    page, _ = page_of([], rows={"ours": records("ours")})
    assert "Head to head: the report is of one system." in page.text


def test_pairs_that_are_not_shown_are_counted():
    names = ["ours", "b", "c"]
    rows = {name: records(name) for name in names}
    first = itertools.islice(itertools.combinations(names, 2), 2)
    pairs = [one for a, b in first for one in head_to_head(rows[a], rows[b], CONFIG)]
    page, _ = page_of(pairs, rows=rows, readers={"ours": "1", "b": "1", "c": "2"})
    assert "2 of the 3 pairs of systems are shown" in page.text
    assert "different programs read the texts of two systems" in page.text
    assert len(page.cells[TITLE]) == 1 + 6
