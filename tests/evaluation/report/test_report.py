"""The page and its files: true numbers, no markup from outside, nothing missing."""

import base64
import dataclasses
import io
import json
import math
import re

import numpy as np
import pytest
from PIL import Image

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.make import make_case
from tbstar_jax.evaluation.report.album import Album
from tbstar_jax.evaluation.report.content import Table, TextRead, pictures_of
from tbstar_jax.evaluation.report.figures import figures
from tbstar_jax.evaluation.report.gallery import examples
from tbstar_jax.evaluation.report.markup import digits_of, shown
from tbstar_jax.evaluation.report.page import report_html
from tbstar_jax.evaluation.report.write import write_report
from tbstar_jax.evaluation.run.measures import measure_by_name
from tbstar_jax.evaluation.run.results import best_of, summarise, to_json
from tests.evaluation.report.contents import (
    CONFIG,
    HOSTILE,
    content,
    judged,
    pictures,
    record,
    records,
    results,
)
from tests.evaluation.report.pages import Page


def html_of(made, album=None):
    return report_html(made, figures(made), album or Album())


def page_of(made, album=None):
    return Page(html_of(made, album))


def in_json(values, key):
    """A number of `results.json` by the key that the page gives it."""
    system, measure, name, end = key.rsplit("|", 3)
    (found,) = [one for one in values["systems"] if one["name"] == system]
    sliced = found["measures"][measure]
    kind, _, rest = name.partition("=")
    by_kind = {"macro": lambda: sliced["macro"], "task": lambda: sliced["tasks"][rest]}
    by_kind["language"] = lambda: sliced["languages"][rest]
    if name.startswith("tag "):
        return sliced["tags"][name.removeprefix("tag ")][end]
    return by_kind[kind]()[end]


def test_numbers_are_those_of_results_json():
    made = content()
    values = json.loads(to_json(made.results))
    numbers = page_of(made).numbers
    told = {key: one for key, one in numbers.items() if "english_minus" not in key}
    for key, (value, text) in told.items():
        assert value == in_json(values, key), key
        measure = measure_by_name(key.rsplit("|", 3)[1])
        assert text == shown(value, digits_of(measure)), key
    english_minus_chinese = values["systems"][0]["english_minus_chinese"]
    for end in ("mean", "low", "high"):
        exact, _ = numbers[f"ours|english_minus_chinese|{end}"]
        assert exact == english_minus_chinese[end]


def test_every_mean_of_the_main_system_is_in_the_page():
    made = content()
    numbers = page_of(made).numbers
    for name, sliced in made.main_result.measures.items():
        assert numbers[f"ours|{name}|macro|mean"][0] == sliced.macro.mean
        for task, found in sliced.tasks.items():
            if not math.isnan(found.mean):
                assert numbers[f"ours|{name}|task={task}|mean"][0] == found.mean
    for system in made.results.systems:
        assert f"{system.name}|consistency|macro|low" in numbers


def test_the_headline_is_one_line_of_scores():
    made, summaries = judged()
    text = page_of(content(judges=summaries, judgements=made)).text
    consistency = content().main_result.measures["consistency"].macro
    assert f"C{consistency.mean:.3f}{consistency.low:.3f} to" in text
    assert "drift1.00 ΔE" in text
    assert "shift0.50 px" in text
    best = "a perfect edit: 0.125"
    assert f"CER-EN0.250{best}CER-ZH0.250{best}drift" in text
    assert "VIE-O7.00qwen-2026-01-01: strict (own rubric), coverage 100.0 %" in text


def test_the_page_needs_nothing_else():
    made, summaries = judged()
    page = html_of(content(judges=summaries, judgements=made))
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page
    for tag, values in Page(page).tags:
        assert tag not in ("link", "iframe", "script", "object", "embed", "base")
        for name, value in values.items():
            assert not name.startswith("on")
            if name in ("src", "href"):
                assert value.startswith(("data:image/", "#"))
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    rules = dict(
        rule.split(" ", 1) for rule in policy.replace("&#x27;", "'").split("; ")
    )
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert "script-src" not in rules
    assert "url(" not in page


def test_links_lead_to_sections_and_tables_have_captions():
    page = page_of(content())
    ids = page.ids()
    assert len(ids) == len(set(ids))
    links = [one["href"] for tag, one in page.tags if tag == "a"]
    assert {link.removeprefix("#") for link in links} <= set(ids)
    assert all(page.cells)
    pictures = [one for tag, one in page.tags if tag in ("img", "svg")]
    assert all(one.get("alt") or one.get("aria-label") for one in pictures)


def test_words_from_outside_stay_words():
    rows = {
        HOSTILE: [
            dataclasses.replace(row, edit_parts={HOSTILE: row.edit})
            for row in records(HOSTILE)
        ]
    }
    made, summaries = judged(reason=HOSTILE, system=HOSTILE)

    def hostile(found):
        return dataclasses.replace(pictures(found), english=HOSTILE, chinese=HOSTILE)

    table = Table(title=HOSTILE, columns=[HOSTILE], rows=[[HOSTILE]], notes=[HOSTILE])
    given = content(
        rows=rows,
        notes=[HOSTILE],
        pictures=hostile,
        judges=summaries,
        judgements=made,
        audit=table,
        preference=table,
        reads=[TextRead(target=HOSTILE, read="<b>")],
        previous=results({HOSTILE: records(HOSTILE, 0.1)}, commit=HOSTILE),
    )
    given.results.provenance[HOSTILE] = {HOSTILE: [HOSTILE]}
    page = page_of(given)
    assert "script" not in {tag for tag, _ in page.tags}
    assert not [one for _, one in page.tags if "onerror" in one]
    # Names, notes, instructions, reasons, cells: each is read as it was written.
    assert page.text.count(HOSTILE) > 40
    assert page.text.startswith(f"Benchmark: {HOSTILE} on mini")


def test_notes_and_missing_answers_stand_before_every_number():
    rows = records("ours")
    rows[0] = dataclasses.replace(
        rows[0], status="missing", size=None, edit_parts={}, metrics={}
    )
    made = content(rows={"ours": rows}, notes=["Anchors are out of order: a, b."])
    page = page_of(made)
    start = page.text.index("Read this first")
    assert page.text.index("Anchors are out of order: a, b.") > start
    assert page.text.index("17 of 18 prompts answered") < start
    told = "ours: of 18 answers, 1 missing"
    assert start < page.text.index(told) < page.text.index("CER-EN")
    assert "Read this first" not in page_of(content()).text


def test_the_leaderboard_has_the_best_first_and_anchors_last():
    made = content()
    rows = next(
        rows for caption, rows in page_of(made).cells.items() if "anchors" in caption
    )
    names = [row[0] for row in rows[1:]]
    assert names == ["ours", "other", "copy input", "ground truth"]
    swapped = dataclasses.replace(
        made.results, systems=[made.results.systems[k] for k in (1, 0, 3, 2)]
    )
    again = page_of(dataclasses.replace(made, results=swapped))
    rows = next(rows for caption, rows in again.cells.items() if "anchors" in caption)
    names = [row[0] for row in rows[1:]]
    assert names == ["ours", "other", "ground truth", "copy input"]


def test_an_error_rate_stands_beside_what_a_perfect_edit_has():
    page = page_of(content())
    rows = next(rows for caption, rows in page.cells.items() if "anchors" in caption)
    heads = rows[0]
    for head in ("CER-EN", "CER-ZH"):
        cell = rows[1][heads.index(head)]
        assert cell.startswith("0.250")
        assert cell.endswith("a perfect edit: 0.125")
    assert "perfect" not in rows[1][heads.index("SSIM")]
    texts = next(rows for name, rows in page.cells.items() if name.startswith("Texts,"))
    assert ["CER, a perfect edit", "0.125"] == [row[:5] for row in texts][2][
        :2
    ] or texts


def test_numbers_are_a_column_of_their_own():
    prices = [
        dataclasses.replace(row, tags={"script": "number"})
        for row in records("ours")
        if row.case.endswith("000")
    ]
    rows = {"ours": [*prices, *(r for r in records("ours") if r.case[-3:] != "000")]}
    page = page_of(content(rows=rows))
    found = next(rows for name, rows in page.cells.items() if name.startswith("Texts,"))
    assert found[0][-1] == "numbers"
    assert page.numbers["ours|text_cer|tag script=number|mean"][0] == 0.25


def test_an_anchor_without_an_autoencoder_is_told_with_the_way_to_get_it():
    page = page_of(content())
    absent = page.text[page.text.index("Not in this report") :]
    assert "The reference through an autoencoder: no autoencoder was given" in absent
    assert "--vae=DIR" in absent
    named = [
        dataclasses.replace(one, name="reference_vae") if one.kind == "anchor" else one
        for one in content().results.systems[:3]
    ]
    made = content()
    results_ = dataclasses.replace(made.results, systems=named)
    page = page_of(dataclasses.replace(made, results=results_))
    assert "--vae=DIR" not in page.text


def test_the_best_of_several_samples_stands_below_its_system():
    found = {name: records(name, offset) for name, offset in (("a", 0.1), ("b", 0.25))}
    found["a"] += [dataclasses.replace(one, sample=1) for one in records("a", 0.3)]
    shown = results(found)
    best = summarise(best_of(found["a"]), "best", CONFIG)
    a, b = shown.systems
    made = content(rows=found)
    page = page_of(
        dataclasses.replace(
            made, results=dataclasses.replace(shown, systems=[a, best, b]), main="a"
        )
    )
    (rows,) = [rows for name, rows in page.cells.items() if "best of N" in name]
    names = [row[0] for row in rows[1:]]
    # C above the first's: 0.25, the mean of 0.1 and 0.3, and 0.3, which is no rank.
    assert names == ["b", "a", "a, best of 2"]
    assert "36 of 36 answers, 2 to each of 18 prompts" in page.text
    assert "best of 2" not in page.text[page.text.index("C: consistency") :]


def test_a_mock_judge_is_named_so_and_in_no_leaderboard():
    made, summaries = judged(is_mock=True)
    page = page_of(content(judges=summaries, judgements=made))
    board = next(rows for caption, rows in page.cells.items() if "anchors" in caption)
    assert not any("mock" in head.lower() for head in board[0])
    assert "VIE-On/aonly a mock judge" in page.text
    judges = next(rows for caption, rows in page.cells.items() if "Judges" in caption)
    assert judges[1][1] == "MOCK mock: strict (own rubric)"
    assert "no model looked at these pictures" in page.text
    real, more = judged()
    both = page_of(content(judges=[*summaries, *more], judgements=[*made, *real]))
    board = next(rows for caption, rows in both.cells.items() if "anchors" in caption)
    assert [head for head in board[0] if "strict" in head] == [
        "qwen-2026-01-01: strict (own rubric)"
    ]
    assert "7.00coverage 100.0 %" in board[1]
    for name, one in (("mock", summaries[0]), ("real", more[0])):
        assert both.numbers[f"ours|judge|{name}|dropped"][0] == one.dropped.macro
        assert both.numbers[f"ours|judge|{name}|lower"][0] == one.lower.macro
    assert board[2][-1] == "n/a"


def test_what_there_is_not_is_absent_for_a_reason():
    rows = {"ours": [record("ours", "recolor", 0, "en", 0.9, metrics={})]}
    page = page_of(content(rows=rows))
    present = {one for one in page.ids() if not one.endswith("-title")}
    assert present == {
        "main",
        "leaderboard",
        "scores",
        "tasks",
        "gallery",
        "slices",
        "run",
        "absent",
    }
    absent = page.text[page.text.index("Not in this report") :]
    for told in (
        "Judges: no judge was asked.",
        "Texts: no task of this run writes a text, or keeps one.",
        "Anchors: no anchor was scored",
        "Why edits fail: no edit that was made has E below 0.5.",
        "English and Chinese: no scene was asked",
        "Since the previous run: no earlier run",
        "Preference of people: no preference study",
        "Preference of a judge: no judge compared",
    ):
        assert told in absent


def test_a_run_without_anything_is_still_a_page(tmp_path):
    made = content()
    empty = dataclasses.replace(made.results, systems=[])
    nothing = dataclasses.replace(made, results=empty, records=[], main="ours")
    write_report(nothing, tmp_path)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "Leaderboard: nothing was scored." in page.text
    assert "c0ffee" in page.text
    assert list((tmp_path / "figures").iterdir()) == []


def test_half_a_character_in_a_reply_does_not_stop_the_report(tmp_path):
    made, summaries = judged(reason="bad \ud800 end")
    write_report(content(judges=summaries, judgements=made), tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "bad ? end" in page


def test_files_are_whole_and_old_figures_go(tmp_path):
    write_report(content(), tmp_path)
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    expected = {f"{name}.png" for name in figures(content())}
    assert names == expected
    for name in names:
        with Image.open(tmp_path / "figures" / name) as image:
            assert image.width >= 700  # readable in a README
    rows = {"ours": [record("ours", "recolor", 0, "en", 0.9, metrics={})]}
    write_report(content(rows=rows), tmp_path)
    left = {path.name for path in (tmp_path / "figures").iterdir()}
    assert left == {"scores.png", "tasks.png"}
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", "figures"}


def test_the_gallery_shows_both_languages_the_map_and_the_reason():
    made, summaries = judged(reason="The lid changed.")
    page = page_of(content(judges=summaries, judgements=made))
    assert page.text.count("把左半边改成红色。") == 9  # three of three tasks
    assert page.text.count("The lid changed.") == 18  # of both parts
    images = [one for tag, one in page.tags if tag == "img"]
    kinds = [one["alt"].rpartition(": ")[2] for one in images]
    assert kinds == ["source", "reference", "output", "error map"] * 9
    head, data = images[3]["src"].split(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        pixels = np.array(image.convert("RGB"))
    assert pixels[0, 0].tolist() == [0xD5, 0x5E, 0x00]
    assert pixels[5, 0].tolist() == [0x56, 0xB4, 0xE9]
    assert pixels[0, 20].tolist() == [0xEC] * 3


def test_the_map_of_a_large_picture_is_drawn_on_a_grid():
    def large(found):
        small = pictures(found)
        grown = {
            name: np.repeat(np.repeat(getattr(small, name), 60, 0), 60, 1)
            for name in ("source", "reference", "answer", "edit_mask")
        }
        return dataclasses.replace(small, **grown)

    rows = {"ours": [record("ours", "recolor", 0, "en", 0.5)]}
    page = page_of(content(rows=rows, pictures=large))
    (image,) = [
        one for tag, one in page.tags if tag == "img" and "error map" in one["alt"]
    ]
    assert (image["width"], image["height"]) == ("320", "320")
    data = base64.b64decode(image["src"].partition(",")[2])
    with Image.open(io.BytesIO(data)) as opened:
        pixels = np.array(opened.convert("RGB"))
    assert pixels[4, 4].tolist() == [0xD5, 0x5E, 0x00]
    assert pixels[100, 4].tolist() == [0x56, 0xB4, 0xE9]
    assert pixels[100, 300].tolist() == [0xEC] * 3


def test_examples_are_the_ends_and_the_middle_of_other_scenes():
    rows = [
        record("ours", "recolor", k, "en", score)
        for k, score in enumerate((0.5, 0.1, 0.9, 0.3, 0.7))
    ]
    chosen = examples(rows)
    assert [chosen[rank].consistency for rank in ("worst", "median", "best")] == [
        0.1,
        0.5,
        0.9,
    ]
    same = [*rows[1:3], record("ours", "recolor", 1, "zh", 0.2), rows[4]]
    assert examples(same)["median"].consistency == 0.7
    assert list(examples(rows[:2])) == ["worst", "best"]
    assert list(examples(rows[:1])) == ["only"]
    assert examples([]) == {}


def test_a_missing_answer_and_unreadable_pictures_are_told():
    rows = [
        record("ours", "recolor", 0, "en", 0.0, status="missing", edit_parts={}),
        record("ours", "recolor", 1, "en", 0.5),
    ]

    def sometimes(found):
        if found.case.endswith("001"):
            raise UserError("answers/1.png is damaged")
        return pictures(found)

    page = page_of(content(rows={"ours": rows}, pictures=sometimes))
    assert "No picture: missing." in page.text
    assert "answers/1.png is damaged" in page.text
    assert len([tag for tag, _ in page.tags if tag == "img"]) == 2


def test_a_full_page_has_no_more_pictures_and_says_so():
    page = page_of(content(), Album(max_bytes=1))
    assert len([tag for tag, _ in page.tags if tag == "img"]) == 4
    assert page.text.count("the page has as many as it can carry") == 8


def test_pictures_are_small_on_the_page():
    noise = np.random.default_rng(0).integers(0, 256, (900, 600, 3), np.uint8)
    markup = Album().photo(noise, "noise")
    assert 'width="213" height="320"' in markup
    assert len(markup) < 150_000


def test_confusions_are_counted():
    reads = [
        TextRead(target="59.9", read="69.9"),
        TextRead(target="5.9", read="6.9"),
        TextRead(target="菜", read="菊"),
        TextRead(target="mint", read="mnts"),
    ]
    text = page_of(content(reads=reads)).text
    found = text[text.index("Characters that differ in 4 texts") :]
    expected = "Taken for another: 35 → 6×2菜 → 菊×1Not there: 1i×1Too much: 1s×1"
    assert found.partition("how often")[2].startswith(expected)


def test_two_runs_are_compared_where_they_differ():
    before = results({"ours": records("ours")}, commit="old")
    page = page_of(content(previous=before))
    rows = page.cells["Means over tasks that differ between the runs"]
    difference = {row[1]: row[-1] for row in rows[1:]}
    assert difference == {
        "C": "+0.100better",
        "E": "+0.100better",
        "P": "+0.100better",
    }
    assert (
        "Both runs are on the same cases. Different between them: commit." in page.text
    )
    other = results({"ours": records("ours", 0.1)}, cases_sha256="other")
    text = page_of(content(previous=other)).text
    assert "not on the same cases: their means do not compare" in text
    assert "No mean of ours differs from the earlier run" in text


def test_runs_of_differently_named_systems_are_compared_by_their_main_ones():
    before = results({"old": records("old")}, commit="old", system={"seed": "1"})
    page = page_of(content(previous=before))
    assert "Different between them: system, commit." in page.text
    rows = page.cells["Means over tasks that differ between the runs"]
    assert [row[0] for row in rows[1:]] == ["ours (before: old)"] * 3
    assert [row[-1] for row in rows[1:]] == ["+0.100better"] * 3
    told = "Of other names, and compared as main systems: old before, ours now."
    assert told in page.text
    # A system of that name is the same one, though it is not the main one.
    named = page_of(content(previous=results({"other": records("other", 0.1)})))
    rows = named.cells["Means over tasks that differ between the runs"]
    assert {tuple(row[::4]) for row in rows[1:]} == {("other", "-0.100worse")}
    assert "Of other names" not in named.text


def test_runs_with_nothing_in_common_are_said_to_have_nothing():
    before = results({"old": records("old")})
    (old,) = before.systems
    nothing = dataclasses.replace(
        before, systems=[dataclasses.replace(old, measures={})]
    )
    text = page_of(content(previous=nothing)).text
    assert "No measure is common to the two runs, so nothing can be compared." in text
    empty = dataclasses.replace(before, systems=[])
    text = page_of(content(previous=empty)).text
    assert "no system that any of this one compares with, so nothing can be" in text
    assert "No mean of" not in text


def test_a_report_of_several_runs_tells_what_each_of_them_was():
    runs = {
        name: {
            "split": "mini",
            "system": {"weights_sha256": f"{name}-weights"},
            "commit": f"{name}-commit",
            "settings": {"steps": steps},
        }
        for name, steps in (("ours", 8), ("other", 50))
    }
    made = content()
    merged = dataclasses.replace(made.results, runs=runs)
    page = page_of(dataclasses.replace(made, results=merged))
    assert page.text.startswith("Benchmark: ours, other on mini")
    top = page.text[: page.text.index("Leaderboard")]
    for name in runs:
        assert f"{name}: 18 of 18 prompts answered" in top
        assert f"weights {name}-weights · commit {name}-commit" in top
    assert "Scores of ours, whose answers are shown" in top
    rows = page.cells["What was run, and on what"]
    assert rows[0] == ["what", "ours", "other"]
    assert ["settings.steps", "8", "50"] in rows
    many = {**runs, "c": {}, "d": {"seed": 3}}
    page = page_of(
        dataclasses.replace(made, results=dataclasses.replace(merged, runs=many))
    )
    assert page.text.startswith("Benchmark: ours and 3 other systems on mini")
    rows = page.cells["What was run, and on what"]
    assert ["seed", "n/a", "n/a", "n/a", "3"] in rows
    assert "Scores of ours" not in page_of(made).text


def test_tables_are_shown_as_given():
    table = Table(
        title="Elo",
        columns=["system", "score", "votes"],
        rows=[["ours", 1042.12, 600], ["other", float("nan"), 600]],
        notes=["Davidson model."],
    )
    page = page_of(
        content(preference=table, pairwise=dataclasses.replace(table, title="By m"))
    )
    assert page.cells["By m"] == page.cells[table.title]
    assert page.cells["Elo"][1:] == [["ours", "1042", "600"], ["other", "n/a", "600"]]
    assert "Davidson model." in page.text
    with pytest.raises(ValueError, match="one cell per column"):
        Table(title="t", columns=["a"], rows=[["1", "2"]])


def test_content_that_contradicts_itself_is_refused():
    with pytest.raises(ValueError, match="no system 'nobody'"):
        content(main="nobody")
    made = content()
    twice = dataclasses.replace(made.results, systems=[made.results.systems[0]] * 2)
    with pytest.raises(ValueError, match="two systems of one name"):
        dataclasses.replace(made, results=twice)


def test_an_answer_of_another_size_is_shown_as_it_was_scored():
    case = make_case("smoke", "recolor", 0)
    found = pictures_of(case, np.full((20, 30, 3), 90, np.uint8))
    assert found.answer.shape == case.reference.shape
    assert (found.answer == 90).all()
    assert found.source is case.source
    assert found.chinese == case.instructions["zh"]
    assert pictures_of(case, None).answer is None
