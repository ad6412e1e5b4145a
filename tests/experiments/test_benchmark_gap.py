"""`gap` on runs of the command and on written ones: what is told, left out, refused."""

import csv
import json
import shutil

import numpy as np
import pytest

from experiments import benchmark, benchmark_run, benchmark_two_runs
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.seeds import BENCHMARK_VERSION
from tbstar_jax.evaluation.cases.store import write_cases
from tbstar_jax.input_pipeline.images import encode_png
from tests.support.benchmark_cases import case
from tests.support.written_runs import SCORES, judged, lines, prompts_of, run_of

FRESH = {"split": "fresh", "seed": 7, "cases_sha256": "d"}
BY_TASK = np.repeat([0.1, -0.1], 6)


def known(folder, scores=SCORES, name="ours", **changes):
    """A run on `test`."""
    options = {"place": "known", "prompts": prompts_of("test"), "split": "test"}
    return run_of(folder, name, scores, **{**options, "seed": None, **changes})


def fresh(folder, scores=SCORES, name="ours", **changes):
    """A run on `fresh`."""
    options = {"place": "fresh", "prompts": prompts_of("fresh"), **FRESH}
    return run_of(folder, name, scores, **{**options, **changes})


def test_runs_on_test_and_on_fresh_have_a_gap(tmp_path, monkeypatch, capsys):
    """A system that knows the answers of `test`, and those of one fresh case in two."""

    def drawn(split, folder, *, seed, **_):
        first = 4 if split == "test" else 10
        cases = [case(index=index, split=split) for index in range(first, first + 2)]
        write_cases(cases, folder, seed=seed or 0)
        for one in cases:
            knows = split == "test" or one.index % 2
            answer = encode_png(one.reference if knows else one.source)
            for language in ("en", "zh"):
                path = tmp_path / f"answers/{one.id}/{language}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(answer)

    monkeypatch.setattr(benchmark_run, "write_split", drawn)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers/cover.png").write_bytes(b"")
    runs = []
    for options in (["--split=test"], ["--split=fresh", "--seed=11"]):
        runs.append(str(tmp_path / options[0][8:]))
        given = [*options, "--outputs=answers", f"--out={runs[-1]}", "--workers=1"]
        benchmark.main(given)
    told = json.loads((tmp_path / "fresh/run.json").read_text())["provenance"]
    assert (told["seed"], told["cases_version"]) == (11, BENCHMARK_VERSION)
    capsys.readouterr()
    benchmark.main(["gap", *runs])
    out = capsys.readouterr().out
    assert out.startswith("answers: test minus fresh, seed 11,")
    assert lines(out)[1]["C"][1:4] == ["1.000", "0.500", "+0.500"]
    assert lines(out)[1]["C"][-1] == "2 and 2"
    shutil.copytree(runs[0], tmp_path / "copy")
    with pytest.raises(UserError, match="are of the same cases"):
        benchmark.main(["gap", runs[0], str(tmp_path / "copy")])
    with pytest.raises(UserError, match="with `gap`"):
        benchmark.main(["compare", *runs])


def test_the_gap_of_two_splits_is_printed(tmp_path, capsys):
    first = known(tmp_path, SCORES + BY_TASK + 0.05, shifts=[1.5] * 12)
    second = fresh(tmp_path, shifts=[1.0] * 12)
    benchmark.main(["gap", first, second])
    out = capsys.readouterr().out
    assert out.startswith("ours: test minus fresh, seed 7, mean over tasks, 95 %")
    _, found = lines(out)
    head = ["measure", "test", "fresh, seed 7", "difference", "interval", "cases"]
    assert found["measure"] == head
    assert found["C"][1:4] == ["0.625", "0.575", "+0.050"]
    low, _, high = found["C"][4].partition(" to ")
    assert float(low) < 0 < 0.1 < float(high)  # of three cases a task
    assert found["C"][5] == "6 and 6"
    # Nothing varies, so nothing is uncertain.
    gap = ["1.500", "1.000", "+0.500", "0.500 to 0.500", "6 and 6"]
    assert found["shift px"][1:] == gap
    assert found["P"][3:5] == ["+0.000", "0.000 to 0.000"]
    assert "PSNR dB, where neither is identical" not in found
    assert "Where an interval holds 0, nothing tells the two splits apart" in out
    assert "left out:" not in out
    assert "drawn alike" not in out
    benchmark.main(["gap", second, first])
    _, found = lines(capsys.readouterr().out)
    assert found["C"][1:4] == ["0.575", "0.625", "-0.050"]


def test_groups_are_tasks_languages_or_values_of_a_tag(tmp_path, capsys):
    first = known(tmp_path, SCORES + BY_TASK)
    second = fresh(tmp_path)
    path = tmp_path / "out.csv"
    benchmark.main(["gap", first, second, "--by=task", f"--out={path}"])
    out = capsys.readouterr().out
    found, _ = lines(out)
    assert found["recolor", "C"][4] == "+0.100"
    assert found["text_add", "C"][4] == "-0.100"
    assert found["text_add", "C"][-1] == "3 and 3"
    assert "6 differences: intervals are not widened" in out
    assert ("recolor", "CER") not in found
    with path.open() as file:
        rows = {(row["group"], row["measure"]): row for row in csv.DictReader(file)}
    assert ("recolor", "CER") in rows
    benchmark.main(["gap", first, second, "--by=language"])
    found, _ = lines(capsys.readouterr().out)
    assert found["zh", "C"][4] == "+0.000"
    assert found["zh", "C"][-1] == "6 and 6"
    with pytest.raises(UserError, match="--by is color, but must be one of task, lang"):
        benchmark.main(["gap", first, second, "--by=color"])


def test_a_group_of_one_run_alone_is_named(tmp_path, capsys):
    small = [prompt for prompt in prompts_of("fresh") if "/000/" not in prompt]
    first, second = known(tmp_path), fresh(tmp_path, prompts=small)
    benchmark.main(["gap", first, second, "--by=size"])
    out = capsys.readouterr().out
    assert {group for group, _ in lines(out)[0]} == {"size", "small"}
    assert "Of size, only one of the runs has big." in out


def test_the_file_has_both_sides_and_the_mean_over_prompts(tmp_path):
    first = known(tmp_path, SCORES + 0.1)
    # Eight prompts of recolor and six of text_add: micro is not macro.
    more = [*prompts_of("fresh")[:6], "fresh/recolor/003/en", "fresh/recolor/003/zh"]
    more += prompts_of("fresh")[6:]
    second = fresh(tmp_path, np.repeat([0.25, 0.75], [8, 6]), prompts=more)
    path = tmp_path / "out.json"
    benchmark.main(["gap", first, second, f"--out={path}"])
    (row,) = [row for row in json.loads(path.read_text()) if row["measure"] == "C"]
    assert row["first"] == pytest.approx(0.675)
    assert row["second"] == pytest.approx(0.5)
    assert row["difference"] == pytest.approx(0.175)
    assert row["low"] < row["difference"] < row["high"]
    assert row["micro_difference"] == pytest.approx(0.675 - 6.5 / 14)
    assert row["micro_low"] < row["micro_difference"] < row["micro_high"]
    assert (row["num_prompts_first"], row["num_prompts_second"]) == (12, 14)
    assert (row["num_cases_first"], row["num_cases_second"]) == (6, 7)


def test_tasks_that_rest_on_what_another_program_read_are_left_out(tmp_path, capsys):
    first, second = known(tmp_path), fresh(tmp_path, reader="ocr 2")
    benchmark.main(["gap", first, second])
    out = capsys.readouterr().out
    _, found = lines(out)
    assert found["C"][-1] == "3 and 3"  # of recolor alone
    assert "CER" not in found
    assert "Texts were read by different programs (ocr 1 and ocr 2)" in out


def test_only_what_both_runs_were_asked_is_compared(tmp_path, capsys):
    tasks = ("recolor", "outpaint")
    asked = prompts_of("fresh", tasks=tasks, languages=("zh",))
    first = known(tmp_path, SCORES, shifts=[1.0] * 12)
    shifts = [1.0] * 3 + [None] * 3
    second = fresh(tmp_path, [0.5] * 6, prompts=asked, shifts=shifts)
    benchmark.main(["gap", first, second])
    out = capsys.readouterr().out
    _, found = lines(out)
    chinese = SCORES[:6][1::2].mean()
    assert found["C"][1:4] == [f"{chinese:.3f}", "0.500", f"{chinese - 0.5:+.3f}"]
    assert found["C"][-1] == "3 and 3"
    assert (
        "Tasks that only one of the runs has are left out: outpaint, text_add." in out
    )
    assert "Languages that only one of the runs has are left out: en." in out


def test_a_task_that_one_run_has_no_number_for_is_named(tmp_path, capsys):
    first = known(tmp_path, shifts=[1.0] * 6 + [2.0] * 6)
    second = fresh(tmp_path, shifts=[1.0] * 6 + [None] * 6)
    path = tmp_path / "out.json"
    benchmark.main(["gap", first, second, f"--out={path}"])
    out = capsys.readouterr().out
    assert lines(out)[1]["shift px"][1:4] == ["1.000", "1.000", "+0.000"]
    assert "only one of the runs has a number for them (shift px: text_add)." in out
    rows = {row["measure"]: row for row in json.loads(path.read_text())}
    assert rows["shift px"]["tasks_left_out"] == "text_add"
    assert rows["C"]["tasks_left_out"] == ""


def test_what_the_same_judge_said_of_both_is_compared(tmp_path, capsys, monkeypatch):
    first, second = known(tmp_path), fresh(tmp_path)

    def samples(run):
        return judged(run, *((7.0, 8) if run.folder.name == "known" else (6.0, 10)))

    monkeypatch.setattr(benchmark_two_runs, "judge_samples", samples)
    benchmark.main(["gap", first, second])
    _, found = lines(capsys.readouterr().out)
    assert found["O (m: strict, 1)"][1:4] == ["7.000", "6.000", "+1.000"]
    assert found["O (m: strict, 1)"][-1] == "4 and 5"
    assert "O (only known)" not in found


def test_two_fresh_sets_have_the_same_ids_but_no_case_in_common(tmp_path, capsys):
    first = fresh(tmp_path, SCORES, place="eight", seed=8, cases_sha256="e")
    benchmark.main(["gap", first, fresh(tmp_path, SCORES)])
    out = capsys.readouterr().out
    assert out.startswith("ours: fresh, seed 8 minus fresh, seed 7,")
    low, _, high = lines(out)[1]["C"][4].partition(" to ")
    assert float(low) < -0.05 < 0.05 < float(high)


def test_splits_of_other_sizes_are_said_to_be(tmp_path, capsys):
    first = known(tmp_path, split="dev", prompts=prompts_of("dev"))
    benchmark.main(["gap", first, fresh(tmp_path)])
    assert "Only test and fresh are drawn alike" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"cases_sha256": "c"}, "are of the same cases, .* with `compare`"),
        ({"split": "test", "seed": None}, "are both of test, of other tasks or drawn"),
        ({"name": "theirs"}, r"are of two systems \(they differ in name\)"),
        (
            {"system": {"directory": "w", "weights_sha256": "2"}},
            r"are of two systems \(they differ in weights_sha256\)",
        ),
        (
            {"system": {"endpoint": "http://h", "model": "m"}},
            "in weights_sha256 and endpoint and model",
        ),
        ({"scores_version": 5}, r"\(versions 3 or lower and 5\)"),
        ({"cases_version": 3}, r"cases of different versions \(2 or lower and 3\)"),
        ({"max_instruction_bytes": 94}, r"--max-instruction-bytes None and 94\)"),
        (
            {"prompts": prompts_of("fresh", tasks=("outpaint",))},
            "have no task in common; run both on the same tasks",
        ),
    ],
)
def test_what_is_no_gap_between_splits_is_refused(tmp_path, changes, sentence):
    first = known(tmp_path, system={"directory": "v", "weights_sha256": "1"})
    same = {"system": {"directory": "w", "weights_sha256": "1"}}
    second = fresh(tmp_path, **{**same, **changes})
    with pytest.raises(UserError, match=sentence):
        benchmark.main(["gap", first, second])


def test_runs_without_a_language_in_common_are_refused(tmp_path):
    first = known(tmp_path, prompts=prompts_of("test", languages=("en",)))
    second = fresh(tmp_path, prompts=prompts_of("fresh", languages=("zh",)))
    with pytest.raises(UserError, match="no language in common"):
        benchmark.main(["gap", first, second])
    with pytest.raises(UserError, match=r"ends in \.json or \.csv"):
        benchmark.main(["gap", first, second, f"--out={tmp_path / 'x.txt'}"])
