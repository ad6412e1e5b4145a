"""Records to means: hand-computed numbers, and what becomes of NaN and infinity."""

import csv
import dataclasses
import io
import json
import math

import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.run.measures import MEASURES, measure_by_name
from tbstar_jax.evaluation.run.provenance import (
    digest_of,
    digests_of,
    provenance,
    wall_time,
)
from tbstar_jax.evaluation.run.results import (
    Results,
    best_of,
    summarise,
    to_csv,
    to_json,
)
from tbstar_jax.evaluation.run.scoring import SCORES_VERSION
from tbstar_jax.evaluation.scores.comparison import CURVE
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


def test_samples_are_averaged_by_prompt_and_the_best_is_another_system():
    first = [record("move", index, "en", 0.2) for index in range(3)]
    second = [
        record("move", index, "en", value, sample=1, metrics={"shift": float(index)})
        for index, value in enumerate((0.6, 0.0, 0.2))
    ]
    lost = [
        record("move", index, "en", 0.0, sample=2, status="missing")
        for index in range(3)
    ]
    rows = [*lost, *second, *first]
    found = summarise(rows, "system", CONFIG)
    assert found.measures["consistency"].macro.mean == pytest.approx(
        (0.8 / 3 + 0.2 / 3 + 0.4 / 3) / 3
    )
    # What a sample lacks is not zero: only one of each prompt was measured.
    assert found.measures["shift"].macro.mean == pytest.approx(1.0)
    assert (found.num_prompts, found.num_samples) == (3, 3)
    assert found.measures["consistency"].macro.num_prompts == 3
    assert found.statuses == {"missing": 3, "ok": 6}
    best = best_of(rows)
    assert [(row.case[-1], row.sample, row.consistency) for row in best] == [
        ("0", 1, 0.6),
        ("1", 0, 0.2),
        ("2", 0, 0.2),  # of equals the first
    ]
    assert {row.system for row in best} == {"ours, best of 3"}
    told = summarise(best, "best", CONFIG)
    assert told.measures["consistency"].macro.mean == pytest.approx(1.0 / 3)
    assert told.statuses == {"ok": 3}


def test_an_identical_sample_is_left_out_and_the_other_counts():
    rows = [
        record("move", index, "en", sample=sample, metrics={"psnr_keep": value})
        for index in range(2)
        for sample, value in enumerate((math.inf, 30.0 + index))
    ]
    result = summarise(rows, "system", CONFIG)
    assert result.num_exact["psnr_keep"] == 2
    assert result.measures["psnr_keep"].macro.mean == 30.5
    assert result.measures["psnr_keep"].macro.num_left_out == 0


def test_intervals_of_shares_stay_shares():
    rows = [
        record("move", index, "en", value)
        for index, value in enumerate((1.0, 1.0, 0.1))
    ]
    found = summarise(rows, "system", CONFIG).measures["consistency"].macro
    assert (found.low >= 0, found.high) == (True, 1.0)


def test_curves_are_macro_means_of_the_shares():
    shares = {f"keep_within_{t:g}": k / 10 for k, t in enumerate(CURVE)}
    rows = [
        record("move", 0, "en", 0.5, metrics=shares),
        record("move", 1, "en", 0.5, metrics=shares),
        record("text_add", 0, "en", 0.5, metrics=dict.fromkeys(shares, 1.0)),
    ]
    found = summarise(rows, "system", CONFIG)
    expected = [(k / 10 + 1) / 2 for k in range(len(CURVE))]
    assert found.curves["raw"] == pytest.approx(expected)
    means = [found.measures[f"keep_within_{t}"].macro.mean for t in (2, 5, 10)]
    assert [found.curves["raw"][k] for k in (2, 4, 6)] == pytest.approx(means)
    assert all(map(math.isnan, found.curves["registered"]))


def test_an_error_rate_of_the_reader_is_at_least_zero():
    rows = [
        record("text_add", k, "en", metrics={"text_cer_ceiling": value})
        for k, value in enumerate((0.0, 0.9))
    ]
    found = summarise(rows, "system", CONFIG).measures["text_cer_ceiling"].macro
    assert (found.low, found.mean) == (0.0, 0.45)


def test_every_measure_has_a_tie_of_its_unit():
    ties = {measure.name: measure.tie for measure in MEASURES}
    assert min(ties.values()) > 0
    assert ties["consistency"] == 0.01
    assert ties["psnr_keep"] == 0.1
    assert ties["shift"] == 0.05
    assert ties["drift_norm"] == 0.1
    assert ties["l1_source"] == 0.001  # a level is 1 / 255


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
    assert found["scores_version"] == SCORES_VERSION
    assert found["cases_sha256"] == digest_of(digests)
    assert digests_of(found) == digests
    assert digests_of({}) == {}
    json.dumps(found)


def test_wall_time_is_of_the_last_making_of_each_picture(tmp_path):
    assert wall_time(tmp_path) is None
    path = tmp_path / "seconds.jsonl"
    took = (("a", 9.0), ("b", 2.0), ("a", 1.0), ("c", 6.0))
    path.write_text(
        "".join(json.dumps({"prompt": k, "seconds": v}) + "\n" for k, v in took)
    )
    assert wall_time(tmp_path) == {
        "num_edits": 3,
        "seconds": 9.0,
        "seconds_per_edit": 2.0,
    }
    path.write_text('{"prompt": "a", "seconds": "soon"}\n')
    with pytest.raises(UserError, match="holds no times"):
        wall_time(tmp_path)
