"""`compare` on runs written by hand: ties by unit, groups, readers, judges, files."""

import csv
import json

import numpy as np
import pytest

from experiments import benchmark, benchmark_two_runs
from tbstar_jax.errors import UserError
from tests.support.written_runs import (
    PROMPTS,
    SCORES,
    judged,
    lines,
    prompts_of,
    run_of,
)


def test_ties_are_in_the_unit_of_the_measure(tmp_path, capsys):
    first = run_of(tmp_path, "a", SCORES + 0.02, shifts=[1.04] * 6 + [1.2] * 6)
    second = run_of(tmp_path, "b", SCORES, shifts=[1.0] * 12)
    benchmark.main(["compare", first, second])
    _, found = lines(capsys.readouterr().out)
    assert found["C"][1:] == [
        "+0.020",
        "0.020 to 0.020",
        "100 %",
        "0 % (0.01)",
        "0 %",
        found["C"][6],
        "12",
    ]
    # 0.04 px is a tie, though more than a hundredth; 0.2 px is worse.
    assert found["shift px"][3:6] == ["0 %", "50 % (0.05)", "50 %"]
    assert found["P"][3:6] == ["0 %", "100 % (0.01)", "0 %"]


def test_groups_are_tasks_languages_or_values_of_a_tag(tmp_path, capsys):
    by_task = np.where(["recolor" in prompt for prompt in PROMPTS], 0.1, -0.1)
    first, second = (
        run_of(tmp_path, name, scores)
        for name, scores in (("a", SCORES + by_task), ("b", SCORES))
    )
    benchmark.main(["compare", first, second, "--by=task"])
    out = capsys.readouterr().out
    found, _ = lines(out)
    assert found["recolor", "C"][2:4] == ["+0.100", "0.100 to 0.100"]
    assert found["text_add", "C"][2] == "-0.100"
    assert found["text_add", "C"][-1] == "6"
    assert "6 comparisons: p is not corrected" in out
    assert ("recolor", "CER") not in found
    path = tmp_path / "out.csv"
    benchmark.main(["compare", first, second, "--by=size", f"--out={path}"])
    found, _ = lines(capsys.readouterr().out)
    assert found["big", "C"][2] == "+0.000"
    assert found["big", "C"][-1] == "4"
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert {row["group"] for row in rows} == {"big", "small"}
    assert {"C", "CER"} <= {row["measure"] for row in rows}
    assert not any("nan" in row.values() for row in rows)
    with pytest.raises(UserError, match="--by is color, but must be one of task, lang"):
        benchmark.main(["compare", first, second, "--by=color"])


def test_tasks_that_rest_on_what_another_program_read_are_left_out(tmp_path, capsys):
    first = run_of(tmp_path, "a", SCORES + 0.1)
    second = run_of(tmp_path, "b", SCORES, reader="ocr 2")
    path = tmp_path / "out.json"
    benchmark.main(["compare", first, second, f"--out={path}"])
    out = capsys.readouterr().out
    _, found = lines(out)
    assert found["C"][-1] == "6"  # of recolor alone
    assert "CER" not in found
    assert "Texts were read by different programs (ocr 1 and ocr 2)" in out
    assert "and the tasks text_add." in out
    (row,) = [row for row in json.loads(path.read_text()) if row["measure"] == "C"]
    assert row["difference"] == pytest.approx(0.1)
    assert (row["num_prompts"], row["num_cases"], row["tie_within"]) == (6, 3, 0.01)


def test_what_the_same_judge_said_of_both_is_compared(tmp_path, capsys, monkeypatch):
    first, second = (run_of(tmp_path, name, SCORES) for name in ("a", "b"))

    def samples(run):
        return judged(run, *((7.0, 8) if run.name == "a" else (6.0, 10)))

    monkeypatch.setattr(benchmark_two_runs, "judge_samples", samples)
    benchmark.main(["compare", first, second])
    _, found = lines(capsys.readouterr().out)
    assert found["O (m: strict, 1)"][1] == "+1.000"
    assert found["O (m: strict, 1)"][3:5] == ["100 %", "0 % (0.1)"]
    assert found["O (m: strict, 1)"][-1] == "8"
    assert "O (only a)" not in found


def test_runs_of_several_samples_are_compared_by_their_means(tmp_path, capsys):
    first = run_of(tmp_path, "a", SCORES, samples=2)
    second = run_of(tmp_path, "b", SCORES)
    benchmark.main(["compare", first, second])
    _, found = lines(capsys.readouterr().out)
    assert found["C"][1] == "-0.100"
    assert found["C"][-1] == "12"


def test_a_file_of_another_kind_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"ends in \.json or \.csv"):
        benchmark.main(["compare", "a", "b", f"--out={tmp_path / 'x.txt'}"])


def test_runs_of_two_splits_are_sent_to_gap(tmp_path):
    first = run_of(tmp_path, "a", SCORES)
    second = run_of(tmp_path, "b", SCORES, cases_sha256="d")
    for command in ("compare", "report"):
        with pytest.raises(UserError, match="between two splits with `gap`"):
            benchmark.main([command, first, second])


def of_cases(folder, name, scores, prompts, **changed):
    """A run that knows the digests of its cases."""
    digests = {prompt.rpartition("/")[0]: "same" for prompt in prompts} | changed
    told = {"cases_sha256": str(sorted(digests.items())), "case_digests": digests}
    return run_of(folder, name, scores, prompts=prompts, **told)


def test_a_run_of_some_tasks_is_compared_on_the_cases_of_both(tmp_path, capsys):
    subset = prompts_of(tasks=("recolor",))
    first = of_cases(tmp_path, "all", SCORES + 0.1, PROMPTS)
    second = of_cases(tmp_path, "some", SCORES[:6], subset)
    for runs in ((first, second), (second, first)):
        benchmark.main(["compare", *runs])
        out = capsys.readouterr().out
        _, found = lines(out)
        assert found["C"][1] == ("+0.100" if runs[0] == first else "-0.100")
        assert found["C"][-1] == "6"
        counts = ("3 of all, 0 of some", "0 of some, 3 of all")[runs[0] == second]
        assert f"are left out: {counts}; 3 are in both." in out
    with pytest.raises(UserError, match=r"with 3 in common.*on the cases of both with"):
        benchmark.main(["report", first, second])


def test_a_case_that_is_not_the_same_in_both_runs_is_named(tmp_path):
    case = {"mini/recolor/001": "other"}
    first = of_cases(tmp_path, "a", SCORES, PROMPTS)
    second = of_cases(tmp_path, "b", SCORES, PROMPTS, **case)
    for command in ("compare", "report"):
        with pytest.raises(UserError, match=r"1 of the 6 cases .* mini/recolor/001"):
            benchmark.main([command, first, second])


def test_the_same_cases_leave_none_out(tmp_path, capsys):
    runs = [of_cases(tmp_path, name, SCORES, PROMPTS) for name in ("a", "b")]
    benchmark.main(["compare", *runs])
    assert "left out" not in capsys.readouterr().out
