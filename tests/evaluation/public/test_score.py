"""Folders of answers to reports: judges on the loopback, pixels and words."""

import json

import numpy as np
import pytest

from tbstar_jax.data_engine.filter.text import Text
from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.judge.judge import Judge
from tbstar_jax.evaluation.public.read import read_suite
from tbstar_jax.evaluation.public.report import report_text
from tbstar_jax.evaluation.public.score import score_suite
from tests.evaluation.judge.judged import answering, config, sent
from tests.evaluation.public import copies

MARKS = "fine\nCompliance: 5\nSeamlessness: 4\nIntegrity: 4"


def vie(first, second):
    return json.dumps({"score": [first, second], "reasoning": "so"})


def answer_all(suite, folder, ids=None):
    for item in suite.items:
        if ids is None or item.id in ids:
            copies.save(folder / f"{item.id}.png", copies.picture(99, 12, 12))
    return folder


def judge(url, mode, **fields):
    return Judge(config(url, mode=mode, concurrency=1, **fields))


@pytest.fixture
def gedit(tmp_path):
    rows = [
        copies.gedit_row(1, "color_alter"),
        copies.gedit_row(2, "color_alter"),
        copies.gedit_row(3, "text_change"),
        copies.gedit_row(4, "text_change", "cn"),
    ]
    return read_suite("gedit", copies.gedit_parquet(tmp_path / "copy", rows))


def test_gedit_is_judged_resized_and_totalled(tmp_path, gedit):
    """SC then PQ per answer; the third of English has no answer."""
    english = ["color_alter/en/k1", "color_alter/en/k2"]
    outputs = answer_all(gedit, tmp_path / "mine", english)
    replies = [vie(9, 9), vie(4, 8), vie(0, 7), vie(5, 5)]
    with answering(*replies) as (url, server):
        report = score_suite(gedit, outputs, judge(url, "gedit-qwen"), tmp_path / "out")
        again = score_suite(gedit, outputs, judge(url, "gedit-qwen"), tmp_path / "out")
        assert len(server.requests) == 4
    assert again == report
    assert report["system"] == "mine"
    assert report["num_items"] == 4
    assert report["num_missing"] == 2
    assert report["missing"] == ["text_change/en/k3", "text_change/cn/k4"]
    assert report["coverage"] == 0.5
    assert report["judge"]["label"] == "gedit-qwen (own rubric)"
    full, both, chinese, _ = report["tables"]
    assert full["name"] == "en, full"
    # O is 6 and 0: SC = min, O = sqrt(SC PQ).
    assert full["tasks"]["color_alter"]["O"] == 3.0
    assert full["tasks"]["text_change"] == {
        "num_items": 1,
        "num_marked": 0,
        "SC": None,
        "PQ": None,
        "O": None,
    }
    assert full["means"]["O"] == {"macro": 3.0, "micro": 3.0, "lower": 1.5}
    assert full["means"]["SC"]["macro"] == 4.5
    assert full["means"]["PQ"]["macro"] == 4.5
    assert both["name"] == "en, intersection"
    assert both["means"]["O"]["macro"] == 0.0
    assert chinese["means"]["O"] == {"macro": None, "micro": None, "lower": 0.0}


def test_the_judge_sees_the_answer_in_the_photos_size(tmp_path, gedit, monkeypatch):
    outputs = answer_all(gedit, tmp_path / "mine", ["color_alter/en/k1"])
    with answering(vie(9, 9)) as (url, server):
        score_suite(gedit, outputs, judge(url, "gedit-qwen"), tmp_path / "out")
        content = server.requests[0].json()["messages"][0]["content"]
    urls = [part["image_url"]["url"] for part in content if "image_url" in part]
    assert len(urls) == 2
    # The answer is 12 x 12, the photo 6 x 8.
    assert {_png_size(url) for url in urls} == {(8, 6)}


def _png_size(url):
    import base64

    data = base64.b64decode(url.partition(",")[2])
    return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])


def test_what_the_judge_cannot_be_read_of_is_no_score(tmp_path, gedit):
    outputs = answer_all(gedit, tmp_path / "mine")
    with answering(vie(9, 9), vie(9, 9), "I like it") as (url, _):
        report = score_suite(gedit, outputs, judge(url, "gedit-qwen"), tmp_path / "out")
    assert report["statuses"] == {"ok": 1, "unparsed": 3}
    assert report["coverage"] == 0.25
    full = report["tables"][0]
    assert full["means"]["O"]["macro"] == 9.0
    assert full["means"]["O"]["lower"] == 2.25
    assert len(report["wrong"]) == 3


def test_what_the_reference_program_would_report_is_a_note(tmp_path, gedit):
    """Qwen's guesses are constants: 10 for SC, then 1 for PQ."""
    outputs = answer_all(gedit, tmp_path / "mine")
    with answering(vie(9, 9), vie(9, 9), "I like it") as (url, _):
        asked = judge(url, "gedit-qwen", bug_compatible=True)
        report = score_suite(gedit, outputs, asked, tmp_path / "out")
    told = [note for note in report["notes"] if note.startswith("BUG-COMPATIBLE")]
    # color_alter: 9 and sqrt(10); text_change: sqrt(10).
    assert "would report 4.62 (4.62 to 4.62) in en; answers: 1 scored, 2" in told[0]
    assert "would report 3.16 (3.16 to 3.16) in zh; answers: 1 guessed" in told[1]
    assert report["tables"][0]["means"]["O"]["macro"] == 9.0


def test_answers_and_photos_that_cannot_be_read_have_their_own_status(tmp_path):
    rows = [copies.gedit_row(number) for number in (1, 2, 3)]
    rows[1]["input_image"] = {"bytes": b"no picture", "path": None}
    suite = read_suite("gedit", copies.gedit_parquet(tmp_path / "copy", rows))
    outputs = answer_all(suite, tmp_path / "mine")
    (outputs / "color_alter/en/k3.png").write_bytes(b"no picture")
    with answering(vie(9, 9)) as (url, _):
        report = score_suite(suite, outputs, judge(url, "gedit-qwen"), tmp_path / "out")
    assert report["statuses"] == {"bad_photo": 1, "ok": 1, "unreadable": 1}
    assert set(report["wrong"]) == {"color_alter/en/k2", "color_alter/en/k3"}
    assert report["num_missing"] == 0


def test_imgedit_marks_are_rounded_and_averaged_both_ways(tmp_path):
    entries = {"1": "add", "2": "add", "3": "remove"}
    suite = read_suite("imgedit", copies.imgedit(tmp_path / "copy", entries))
    outputs = answer_all(suite, tmp_path / "mine")
    five = MARKS.replace("4", "5")
    with answering(MARKS, five, five) as (url, _):
        report = score_suite(suite, outputs, judge(url, "imgedit"), tmp_path / "out")
    (table,) = report["tables"]
    assert table["tasks"]["add"]["mark"] == 4.67  # of 4.33 and 5
    assert table["means"]["mark"]["macro"] == pytest.approx(4.835)
    assert table["means"]["mark"]["micro"] == pytest.approx(14.33 / 3)


def test_upstream_prompts_are_used_where_the_user_points_to_them(tmp_path):
    suite = read_suite("imgedit", copies.imgedit(tmp_path / "copy", {"1": "add"}))
    outputs = answer_all(suite, tmp_path / "mine")
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    (prompts / "prompts.json").write_text('{"add": "theirs: <edit_prompt>"}')
    with answering("A: 5\nB: 4\nC: 3") as (url, server):
        asked = judge(url, "imgedit", prompts=prompts)
        report = score_suite(suite, outputs, asked, tmp_path / "out")
        assert sent(server.requests[0])[0] == "theirs: edit it"
    assert report["judge"]["label"] == "imgedit (upstream prompts)"
    assert report["tables"][0]["means"]["mark"]["macro"] == 4.0


def test_kwai_shows_all_photos_and_takes_the_geometric_mean(tmp_path):
    suite = read_suite("kwai", copies.kwai(tmp_path / "copy", {"on": [2], "pose": [1]}))
    outputs = answer_all(suite, tmp_path / "mine")
    good = "好\n甲：5\n乙: 4\n丙：3\n丁：2"
    with answering(good, good.replace("5", "10")) as (url, server):
        report = score_suite(suite, outputs, judge(url, "imgedit"), tmp_path / "out")
        first, second = (sent(request) for request in server.requests)
    assert first == ["image/jpeg"] * 3 + ["on: 换颜色"]
    assert second == ["image/jpeg"] * 2 + ["pose: 换颜色"]
    assert report["judge"]["label"] == "kwai (upstream prompts)"
    assert report["statuses"] == {"ok": 1, "out_of_range": 1}
    assert report["tables"][0]["tasks"]["on"]["mark"] == 3.3098
    assert report["tables"][0]["means"]["mark"]["lower"] == 2.1549


def test_a_second_photo_that_changed_is_judged_again(tmp_path):
    copy = copies.kwai(tmp_path / "copy", {"on": [2]})
    suite = read_suite("kwai", copy)
    outputs = answer_all(suite, tmp_path / "mine")
    with answering("甲：5\n乙: 4\n丙：3\n丁：2") as (url, server):
        for _ in range(2):
            score_suite(suite, outputs, judge(url, "imgedit"), tmp_path / "out")
        assert len(server.requests) == 1
        copies.save(copy / "images/on/0000_1.jpg", copies.picture(200))
        score_suite(suite, outputs, judge(url, "imgedit"), tmp_path / "out")
        assert len(server.requests) == 2


def test_kwai_is_not_judged_in_words_of_ours(tmp_path):
    copy = copies.kwai(tmp_path / "copy", {"pose": [1]})
    (copy / "judge" / "task_judge_prompts.jsonl").unlink()
    suite = read_suite("kwai", copy)
    outputs = answer_all(suite, tmp_path / "mine")
    with pytest.raises(UserError, match="task_judge_prompts"):
        score_suite(suite, outputs, judge("http://h/v1", "imgedit"), tmp_path / "out")


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        ("It is fine.\nScore: 4", "ok"),
        ("It is fine. Score: 4.", "ok"),
        ("**Score**: 4/5", "ok"),
        ("Score: 4.5", "unparsed"),
        ("Score: 6", "out_of_range"),
        ("Score: 0", "out_of_range"),
        ("Score: 4 or Score: 5", "unparsed"),
        ("good", "unparsed"),
    ],
)
def test_uge_reads_one_whole_mark_or_none(tmp_path, reply, status):
    copies.save(tmp_path / "copy" / "a.png", copies.picture(1))
    entry = {"id": "a.png", "prompt": 'take "it" away'}
    copy = copies.imgedit(tmp_path / "copy", {"1": entry}, "UGE_edit.json")
    suite = read_suite("uge", copy)
    outputs = answer_all(suite, tmp_path / "mine")
    with answering(reply) as (url, server):
        report = score_suite(suite, outputs, judge(url, "imgedit"), tmp_path / "out")
        text, *pictures = sent(server.requests[0])
    assert pictures == ["image/png"] * 2
    assert '"take \\"it\\" away"' in text
    assert report["judge"]["label"] == "uge (own rubric)"
    assert report["statuses"] == {status: 1}
    mean = report["tables"][0]["means"]["mark"]["macro"] if status == "ok" else 4.0
    assert mean == 4.0
    assert bool(report["tables"]) == (status == "ok")


def test_no_quirks_of_ratings_are_known(tmp_path):
    copies.save(tmp_path / "copy" / "a.png", copies.picture(1))
    entry = {"id": "a.png", "prompt": "go"}
    copy = copies.imgedit(tmp_path / "copy", {"1": entry}, "UGE_edit.json")
    suite = read_suite("uge", copy)
    outputs = answer_all(suite, tmp_path / "mine")
    asked = judge("http://h/v1", "imgedit", bug_compatible=True)
    with pytest.raises(UserError, match="knows no reader of uge"):
        score_suite(suite, outputs, asked, tmp_path / "out")


def test_without_a_judge_answers_are_counted(tmp_path, gedit):
    outputs = answer_all(gedit, tmp_path / "mine", ["color_alter/en/k1"])
    report = score_suite(gedit, outputs, None, tmp_path / "out")
    assert report["statuses"] == {"missing": 3, "not_judged": 1}
    assert report["tables"] == []
    assert report["judge"] is None
    assert "nobody judged" in report["notes"][0]


@pytest.mark.parametrize(
    ("name", "mode"), [("gedit", "imgedit"), ("gedit", "pairwise"), ("uge", "strict")]
)
def test_a_judge_of_another_mode_is_refused(tmp_path, gedit, name, mode):
    suite = gedit
    if name == "uge":
        copies.save(tmp_path / "u" / "a.png", copies.picture(1))
        entry = {"id": "a.png", "prompt": "x"}
        copy = copies.imgedit(tmp_path / "u", {"1": entry}, "UGE_edit.json")
        suite = read_suite("uge", copy)
    outputs = answer_all(suite, tmp_path / "mine")
    with pytest.raises(UserError, match=f"mode.*{mode}"):
        score_suite(suite, outputs, judge("http://h/v1", mode), tmp_path / "out")


def test_suites_without_judges_refuse_one(tmp_path):
    suite = read_suite("kontext", copies.kontext(tmp_path / "copy", ["0000_00"]))
    outputs = answer_all(suite, tmp_path / "mine")
    with pytest.raises(UserError, match="kontext is not scored by a judge"):
        score_suite(suite, outputs, judge("http://h/v1", "strict"), tmp_path / "out")
    report = score_suite(suite, outputs, None, tmp_path / "out")
    assert "blind page" in report["notes"][0]


def test_paintbench_counts_what_is_missing_as_zero(tmp_path):
    photo = np.full((4, 4, 3), 255, np.uint8)
    right = photo.copy()
    right[:2] = (255, 0, 0)
    problems = [("border", 1, photo, right), ("border", 2, photo, right)]
    problems += [("recolor", 1, photo, right)]
    suite = read_suite("paintbench", copies.paintbench(tmp_path / "copy", problems))
    copies.save(tmp_path / "mine" / "border" / "0001.png", right)
    copies.save(tmp_path / "mine" / "recolor" / "0001.png", photo)
    report = score_suite(suite, tmp_path / "mine", None, tmp_path / "out")
    (table,) = report["tables"]
    assert table["published"] == "lower"
    assert table["tasks"]["border"]["iou"] == 1.0
    assert table["tasks"]["recolor"]["iou"] == 0.0
    assert table["means"]["iou"] == {"macro": 0.5, "micro": 0.5, "lower": 0.25}
    assert table["means"]["preservation_accuracy"]["lower"] == 0.75
    lines = (tmp_path / "out" / "scores.jsonl").read_text().splitlines()
    assert len(lines) == 2
    again = score_suite(suite, tmp_path / "mine", None, tmp_path / "out")
    assert again == report
    assert (tmp_path / "out" / "scores.jsonl").read_text().splitlines() == lines


def test_textedit_is_read_in_both_normalisations(tmp_path):
    rows = [("one", "49.9", "59.9"), ("two", "49.9", "59.9")]
    suite = read_suite("textedit", copies.textedit(tmp_path / "copy", rows))
    for item in suite.items:
        copies.save(tmp_path / "mine" / f"{item.id}.png", copies.picture(9, 12, 16))

    def reader(image):
        """Sees the price in the photo, and in answers the price without its point."""
        assert image.shape == (6, 8, 3)
        is_photo = (image[-1, -1] == 0).all()
        return [Text(text="49.9" if is_photo else "599", box=(0, 0, 3, 8))]

    report = score_suite(
        suite, tmp_path / "mine", None, tmp_path / "out", reader=reader
    )
    (table,) = report["tables"]
    assert table["name"] == "Virtual"
    means = {name: one["micro"] for name, one in table["means"].items()}
    assert means["target_accuracy"] == pytest.approx(1.0, abs=1e-4)
    assert means["target_accuracy_own"] == pytest.approx(0.75, abs=1e-4)
    assert means["ciede2000_reference"] > 0
    assert table["means"]["ciede2000_reference"]["lower"] is None
    assert any("0 of 2 photos" in note for note in report["notes"])


def test_the_report_is_written_as_json_and_as_a_table(tmp_path, gedit):
    outputs = answer_all(gedit, tmp_path / "mine", ["color_alter/en/k1"])
    copies.save(outputs / "stray.png", copies.picture(1))
    with answering(vie(9, 9)) as (url, _):
        report = score_suite(gedit, outputs, judge(url, "gedit-qwen"), tmp_path / "out")
    stored = json.loads((tmp_path / "out" / "report.json").read_text())
    assert stored == report
    assert stored["unknown_files"] == ["stray.png"]
    text = (tmp_path / "out" / "report.txt").read_text()
    assert text == report_text(stored)
    lines = text.splitlines()
    assert lines[0] == "gedit: mine"
    assert lines[1] == "judge: gedit-qwen (own rubric), judge"
    assert lines[2].startswith(
        "items 4, answers 1, missing 3, rows skipped 0, coverage"
    )
    row = next(line for line in lines if line.startswith("mean over tasks *"))
    assert row.split()[-4:] == ["1/3", "9.000", "9.000", "9.000"]


def test_an_empty_folder_of_answers_names_the_first_file_that_is_wanted(
    tmp_path, gedit
):
    (tmp_path / "mine").mkdir()
    with pytest.raises(UserError, match=r"color_alter/en/k1\.png"):
        score_suite(gedit, tmp_path / "mine", None, tmp_path / "out")
