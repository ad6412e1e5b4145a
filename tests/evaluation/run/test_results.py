"""Records to means: hand-computed numbers, and what becomes of NaN and infinity."""

import csv
import dataclasses
import io
import json
import math

import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.run.measures import MEASURES, measure_by_name
from tbstar_jax.evaluation.run.provenance import digest_of, provenance
from tbstar_jax.evaluation.run.results import Results, summarise, to_csv, to_json
from tbstar_jax.evaluation.scores.record import ScoreRecord
from tbstar_jax.evaluation.statistics.resample import BootstrapConfig

CONFIG = BootstrapConfig(num_resamples=200)


def record(task, index, language, consistency=0.5, **changes):
    case = f"mini/{task}/{index:03d}"
    fields = {
        "system": "ours",
        "prompt": f"{case}/{language}",
        "case": case,
        "task": task,
        "language": language,
        "tags": {"family": "mug"},
        "status": "ok",
        "size": (8, 8),
        "edit": consistency,
        "preservation": 1.0,
        "consistency": consistency,
        "edit_parts": {"color": consistency, "shape": 0.9},
        "metrics": {},
        "output": "",
    }
    return ScoreRecord(**{**fields, **changes})


def both(task, index, english, chinese, **changes):
    return [
        record(task, index, "en", english, **changes),
        record(task, index, "zh", chinese, **changes),
    ]


ROWS = [
    *both("recolor", 0, 0.2, 0.4),
    *both("recolor", 1, 0.6, 0.8),
    *both("move", 0, 1.0, 0.0),
]


def test_the_macro_mean_weighs_tasks_alike():
    found = summarise(ROWS, "system", CONFIG).measures["consistency"]
    assert found.tasks["recolor"].mean == pytest.approx(0.5)
    assert found.tasks["move"].mean == pytest.approx(0.5)
    assert found.micro.mean == pytest.approx(3.0 / 6)
    rows = [*ROWS, *both("move", 1, 0.5, 0.5), *both("move", 2, 0.9, 0.9)]
    found = summarise(rows, "system", CONFIG).measures["consistency"]
    assert found.macro.mean == pytest.approx((0.5 + 3.8 / 6) / 2)
    assert found.languages["en"].mean == pytest.approx((0.4 + 2.4 / 3) / 2)
    assert found.tags["family=mug"].num_prompts == 10


def test_languages_are_compared_scene_by_scene():
    found = summarise(ROWS, "system", CONFIG).english_minus_chinese
    assert found.mean == pytest.approx((-0.2 + 1.0) / 2)
    english = [row for row in ROWS if row.language == "en"]
    assert summarise(english, "system", CONFIG).english_minus_chinese is None


def test_identical_pictures_are_counted_not_averaged():
    rows = [
        record("move", 0, "en", metrics={"psnr_keep": math.inf}),
        record("move", 1, "en", metrics={"psnr_keep": 30.0}),
        record("move", 2, "en", metrics={"psnr_keep": 40.0}),
    ]
    result = summarise(rows, "system", CONFIG)
    assert result.num_exact["psnr_keep"] == 1
    assert result.measures["psnr_keep"].macro.mean == 35.0
    assert "ssim_keep" not in result.measures


def test_the_weakest_part_says_why_edits_fail():
    rows = [
        record("move", 0, "en", 0.1),
        record("move", 1, "en", 0.3, edit_parts={"color": 0.9, "place": 0.1}),
        record("move", 2, "en", 0.4, edit_parts={"color": 0.2, "place": 0.2}),
        record("move", 3, "en", 0.9, edit_parts={"place": 0.0}),
        record("recolor", 0, "en", 0.0, status="missing", edit_parts={}),
    ]
    result = summarise(rows, "system", CONFIG)
    assert result.weakest == {"move": {"color": 2, "place": 1}}
    assert result.statuses == {"missing": 1, "ok": 4}


def results(rows):
    return Results(
        provenance={"split": "mini"},
        systems=[summarise(rows, "system", CONFIG)],
        judges=[],
        notes=["文"],
    )


def test_json_holds_null_for_what_is_not_known():
    text = to_json(results(ROWS))
    content = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    (system,) = content["systems"]
    assert system["measures"]["consistency"]["macro"]["mean"] == pytest.approx(0.5)
    assert system["measures"]["consistency"]["tasks"]["move"]["low"] is None
    assert content["notes"] == ["文"]
    assert content["version"] == 1


def test_csv_has_a_line_per_slice_and_no_formula():
    rows = [dataclasses.replace(row, system="=HYPERLINK(1)") for row in ROWS]
    lines = list(csv.DictReader(io.StringIO(to_csv(results(rows)))))
    assert {line["system"] for line in lines} == {"'=HYPERLINK(1)"}
    (macro,) = [
        line
        for line in lines
        if line["measure"] == "consistency" and line["slice"] == "macro"
    ]
    assert float(macro["mean"]) == pytest.approx(0.5)
    assert macro["num_cases"] == "3"
    (move,) = [
        line
        for line in lines
        if line["measure"] == "consistency" and line["slice"] == "task=move"
    ]
    assert move["low"] == ""


def test_measures_have_distinct_names():
    names = [measure.name for measure in MEASURES]
    assert len(set(names)) == len(names)
    assert measure_by_name("edit").label == "E"
    with pytest.raises(UserError, match="no measure 'speed'"):
        measure_by_name("speed")


def test_provenance_names_the_cases_whatever_their_order(tmp_path):
    digests = {"b": "2", "a": "1"}
    assert digest_of(digests) == digest_of(dict(sorted(digests.items())))
    assert digest_of(digests) != digest_of({"a": "1", "b": "3"})
    found = provenance(
        system={"checkpoint": "w"},
        split="mini",
        case_digests=digests,
        tools={},
        command=["python"],
    )
    assert found["num_cases"] == 2
    assert found["cases_sha256"] == digest_of(digests)
    json.dumps(found)
