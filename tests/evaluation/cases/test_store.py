"""Cases in a folder: exact, resumable, and refused where they are not what they say."""

import dataclasses
import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage.color import rgb2lab

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import Case
from tbstar_jax.evaluation.cases.digest import case_digest
from tbstar_jax.evaluation.cases.hard import hard_draft
from tbstar_jax.evaluation.cases.kept import kept_region
from tbstar_jax.evaluation.cases.make import finish
from tbstar_jax.evaluation.cases.seeds import BENCHMARK_VERSION, case_generator
from tbstar_jax.evaluation.cases.store import load_cases, write_cases, write_split
from tbstar_jax.evaluation.scores.preservation import preservation
from tbstar_jax.input_pipeline.images import decode_mask, encode_png

Smoke = tuple[Case, ...]


def _lines(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "cases.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def _require_equal(first: Any, second: Any) -> None:
    for field in dataclasses.fields(first):
        one, other = getattr(first, field.name), getattr(second, field.name)
        if isinstance(one, np.ndarray):
            assert one.dtype == other.dtype, field.name
            assert np.array_equal(one, other), field.name
        elif field.name == "masks" or (field.name == "scene" and one is not None):
            _require_equal(one, other)
        elif field.name == "asked":
            for edit, again in zip(one, other, strict=True):
                _require_equal(edit, again)
        else:
            assert one == other, field.name


@pytest.fixture
def folder(smoke: Smoke, tmp_path: Path) -> Path:
    chosen = [one for one in smoke if one.task in ("text_replace_zh", "outpaint")]
    write_cases(chosen, tmp_path)
    return tmp_path


def test_what_is_read_is_what_was_written(smoke: Smoke, tmp_path: Path) -> None:
    write_cases(smoke, tmp_path)
    read = list(load_cases(tmp_path))
    assert len(read) == 16
    for case, again in zip(smoke, read, strict=True):
        _require_equal(case, again)
    (only,) = load_cases(tmp_path, tasks=["outpaint"])
    assert only.task == "outpaint"


def test_questions_are_in_the_language_of_their_line(folder: Path) -> None:
    case = next(iter(load_cases(folder)))
    english, chinese = _lines(folder)[:2]
    first = case.questions[0]
    for line, text in ((english, first.en), (chinese, first.zh)):
        expected = {"q": text, "answer": first.answer, "type": first.kind}
        assert line["questions"][0] == expected
    lines = _lines(folder)
    lines[1]["questions"].pop()
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "cases.jsonl").write_text(text)
    with pytest.raises(UserError, match="have other questions; write the cases"):
        list(load_cases(folder))


@pytest.fixture(scope="module")
def three() -> Case:
    """A case of the hard split that asks for three edits."""
    for attempt in range(20):
        rng = case_generator("hard", 0, "watermark_remove", 2, f"test-{attempt}")
        draft = hard_draft(rng, "watermark_remove", 2, (144, 144))
        if draft is not None and draft.asked[1].task == "recolor":
            return finish(draft, "hard", "watermark_remove", 2, rng)
    raise AssertionError("no hard case")


def test_all_edits_of_a_case_are_read_as_they_were_written(
    three: Case, tmp_path: Path
) -> None:
    write_cases([three], tmp_path)
    (read,) = load_cases(tmp_path)
    assert [one.task for one in read.asked[:2]] == ["watermark_remove", "recolor"]
    assert read.asked[1].target_color == read.target_color is not None
    assert len(read.asked) == 3
    _require_equal(three, read)
    assert case_digest(three) == case_digest(read)
    first, second, third = three.asked
    other = dataclasses.replace(
        three, asked=(first, dataclasses.replace(second, undone=three.source), third)
    )
    assert case_digest(other) != case_digest(three)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda line: line.pop("asked"), "all 3 edits; write the cases again"),
        (lambda line: line["asked"].pop(), "all 3 edits; write the cases again"),
        (lambda line: line["asked"].append({}), "all 3 edits; write the cases again"),
        (lambda line: line["tags"].update(difficulty="two"), "all 2 edits"),
        (lambda line: line["asked"][2]["targets"].update(light=3), "no object"),
        (lambda line: line["asked"][1].update(task="rm"), "one of bg_white"),
        (lambda line: line["asked"][1]["undone"].update(path="../x.png"), "leaves"),
        (lambda line: line["asked"][1]["masks"].pop("edit"), "edit"),
    ],
)
def test_a_case_whose_edits_are_not_told_apart_is_refused(
    three: Case, tmp_path: Path, change: Any, said: str
) -> None:
    write_cases([three], tmp_path)
    _changed(tmp_path, change)
    with pytest.raises(UserError, match=said):
        list(load_cases(tmp_path))


def test_a_line_holds_the_fields_of_the_schema(folder: Path) -> None:
    lines = _lines(folder)
    assert [line["lang"] for line in lines] == ["en", "zh"] * 2
    text, outpaint = lines[0], lines[2]
    assert text["pair_id"] == "smoke/text_replace_zh/000"
    assert text["id"] == "smoke/text_replace_zh/000/en"
    assert text["reference"]["gt_level"] == "attributes"
    assert text["targets"]["text"][0]["px_height"] >= 8
    assert text["targets"]["color"] is text["targets"]["light"] is None
    assert set(text["masks"]) == {
        *("edit", "keep", "guard", "product", "product_after", "shadow", "text")
    }
    assert set(text["drawn_with"]) == {"numpy", "pillow"}
    box = outpaint["targets"]["outpaint"]["place_box"]
    assert outpaint["size_in"] == box[2:]
    assert outpaint["size_out"] == [128, 128]


def test_what_is_stored_as_kept_is_what_scores_compare(
    smoke: Smoke, tmp_path: Path
) -> None:
    write_cases(smoke, tmp_path)
    for case in smoke:
        keep, guard, edit = (
            decode_mask((tmp_path / f"pictures/{case.id}/{name}.png").read_bytes(), "")
            > 127
            for name in ("keep", "guard", "edit")
        )
        assert np.array_equal(keep, kept_region(case.masks.edit)), case.id
        kept = preservation(
            case.source, case.reference, case.reference, case.masks.edit
        )
        assert keep.mean() == kept.kept_share, case.id
        assert np.array_equal(guard, ~edit & ~keep), case.id


def test_colors_and_lights_are_told_in_numbers(smoke: Smoke, tmp_path: Path) -> None:
    chosen = [one for one in smoke if one.task in ("recolor", "light_shadow")]
    write_cases(chosen, tmp_path)
    recolor, light = _lines(tmp_path)[::2]
    color = recolor["targets"]["color"]
    assert color["part"] == "item-0"
    assert color["name"] in recolor["instruction"]
    rgb = np.array([[list(bytes.fromhex(color["hex"][1:]))]], np.uint8)
    expected = rgb2lab(rgb)[0, 0]
    assert np.allclose(color["lab"], expected, atol=0.05)
    told = light["targets"]["light"]
    changed = {
        name for name in told["before"] if told["before"][name] != told["after"][name]
    }
    names = {
        "warmth": {"warmth"},
        "direction": {"azimuth"},
        "shadow": {"shadow"},
        "softness": {"shadow", "softness"},
    }
    assert changed == names[told["change"]]
    assert recolor["targets"]["light"] is light["targets"]["color"] is None


def test_a_mask_that_is_not_of_its_edit_is_refused(folder: Path) -> None:
    # The mask of all that is not edited is a mask, but leaves no guard.
    lines = _lines(folder)
    edit = decode_mask((folder / lines[0]["masks"]["edit"]["path"]).read_bytes(), "")
    data = encode_png(255 - edit)
    (folder / "pictures/other.png").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    other = {"path": "pictures/other.png", "sha256": digest}
    _changed(folder, lambda line: line["masks"].update(keep=other))
    with pytest.raises(UserError, match="'keep' that follows from the edit"):
        list(load_cases(folder))


def test_writing_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = ("watermark_remove", "text_add")
    write_split("smoke", tmp_path, tasks=tasks)
    before = (tmp_path / "cases.jsonl").read_bytes()
    damaged = tmp_path / "pictures/smoke/text_add/000/edit.png"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    kept = tmp_path / "pictures/smoke/watermark_remove/000/photo.png"
    stamp = kept.stat().st_mtime_ns
    write_split("smoke", tmp_path, tasks=tasks)
    assert kept.stat().st_mtime_ns == stamp
    assert (tmp_path / "cases.jsonl").read_bytes() == before
    assert len(list(load_cases(tmp_path))) == 2
    assert not list(tmp_path.rglob("*.part"))


def test_a_run_of_some_tasks_leaves_the_others_in_the_index(tmp_path: Path) -> None:
    write_split("smoke", tmp_path, tasks=("watermark_remove", "text_add"))
    before = (tmp_path / "cases.jsonl").read_bytes()
    write_split("smoke", tmp_path, tasks=("text_add",))
    assert (tmp_path / "cases.jsonl").read_bytes() == before


def test_cases_of_another_split_or_seed_are_not_written_over(folder: Path) -> None:
    before = (folder / "cases.jsonl").read_bytes()
    with pytest.raises(UserError, match="holds cases of the split 'smoke'"):
        write_split("mini", folder, tasks=("text_add",))
    with pytest.raises(UserError, match=r"\(seed 0\), not of 'fresh' \(seed 3\)"):
        write_split("fresh", folder, seed=3, tasks=("text_add",))
    assert (folder / "cases.jsonl").read_bytes() == before


def test_a_folder_that_cannot_be_made_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be made .* with --cases"):
        write_split("smoke", tmp_path / "file", tasks=("text_add",))


def test_another_case_of_the_same_number_takes_its_place(
    smoke: Smoke, folder: Path
) -> None:
    (old,) = (one for one in smoke if one.task == "outpaint")
    new = dataclasses.replace(old, reference=255 - old.reference)
    write_cases([new], folder)
    (read,) = load_cases(folder)
    assert np.array_equal(read.reference, new.reference)


def _changed(folder: Path, change: Any) -> None:
    lines = _lines(folder)
    for line in lines[:2]:
        change(line)
    (folder / "cases.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines)
    )


def _photo(path: str) -> Any:
    return lambda line: line["inputs"][0].update(path=path)


def _text(**fields: Any) -> Any:
    return lambda line: line["targets"]["text"][0].update(fields)


def _object(**fields: Any) -> Any:
    thing = {"id": "item-0", "class": "box", "name": "box", "box_before": None}
    thing |= {"box_after": [0, 0, 5, 5], "present_after": True}
    return lambda line: line["targets"].update(objects=[thing | fields])


def _targets(**fields: Any) -> Any:
    return lambda line: line["targets"].update(fields)


def _color(**fields: Any) -> dict[str, Any]:
    return {"part": "item-0", "hex": "#cc2224", "name": "red"} | fields


def _light(**fields: Any) -> dict[str, Any]:
    return {"change": "warmth", "before": {}, "after": {}} | fields


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_photo("../secret.png"), "leaves the folder"),
        (_photo("/etc/hostname"), "leaves the folder"),
        (_photo("pictures/link.png"), "leaves the folder"),
        (_photo("pictures"), "is no file"),
        (_photo("pictures/other.png"), "SHA-256"),
        (lambda line: line.update(task="rm"), "one of bg_white"),
        (lambda line: line.update(pair_id="smoke/recolor/000"), "pair_id"),
        (lambda line: line.update(bench_version=99), "bench_version"),
        (lambda line: line.update(tags={"a": 1}), "tags"),
        (lambda line: line.update(facts={"nonsense": "x"}), "no field 'nonsense'"),
        (lambda line: line.update(instruction=""), "instruction"),
        (lambda line: line.update(size_out=[128, 1e9]), "size_out"),
        (lambda line: line.update(size_out=[16, 16]), "leaves the canvas"),
        (lambda line: line.update(targets=None), "targets"),
        (lambda line: line["inputs"].append({}), "list of one photo"),
        (lambda line: line["inputs"][0].update(role="mask"), "one of photo"),
        (lambda line: line["questions"][0].update(answer="yes"), "true or false"),
        (lambda line: line["questions"][0].update(type="odd"), "one of edit, keep"),
        (lambda line: line["questions"][0].pop("q"), "'q'"),
        (lambda line: line["targets"]["text"][0].update(box=[0, 0, 0, 5]), "not empty"),
        (_text(box=[0, 0, 5, 5]), "px_height"),
        (_text(quad=[[0, 0], [0, 1], [1, 1]]), "four corners"),
        (_text(quad=[[0, 0], [0, 1], [1, 1], [1, 1e300]]), "four corners"),
        (_text(quad=[[0, 0], [0, 1], [1, 1], [True, 0]]), "four corners"),
        (_object(present_after=False), "true where there is a box_after"),
        (_object(present_after="yes"), "true or false"),
        (_object(id=7), "'id' is 7"),
        (_targets(color={"part": "a", "hex": "#12345g"}), "such as #cc2224"),
        (_targets(color=_color(lab=[0, 0, 0])), "must be that of #cc2224"),
        (_targets(color=_color(lab=[0, 0, math.nan])), "3 numbers"),
        (_targets(light={"change": "moon"}), "one of warmth"),
        (_targets(light=_light(before=[1])), "no object"),
        (_targets(light=_light(after={"key": [1]})), "finite numbers and short texts"),
        (_targets(light=_light(after={"key": math.inf})), "finite numbers"),
        (lambda line: line.update(size_in=[1, 1]), "the size of the photo"),
        (lambda line: line.update(drawn_with={"numpy": 2}), "drawn_with"),
        (lambda line: line.update(id="smoke/recolor/000/en"), "'id'"),
        (lambda line: line["reference"].update(gt_level="exact"), "attributes"),
        (lambda line: line["masks"].pop("edit"), "edit"),
        (lambda line: line["masks"].pop("guard"), "guard"),
        (lambda line: line.update(lang="en", id=line["id"][:-2] + "en"), "other lang"),
    ],
)
def test_a_hostile_record_is_refused_in_a_sentence(
    folder: Path, change: Any, said: str
) -> None:
    secret = folder.parent / "secret.png"
    secret.write_bytes(encode_png(np.zeros((128, 128, 3), np.uint8)))
    (folder / "pictures/link.png").symlink_to(secret)
    other = np.full((128, 128, 3), 7, np.uint8)
    (folder / "pictures/other.png").write_bytes(encode_png(other))
    _changed(folder, change)
    with pytest.raises(UserError, match=said):
        list(load_cases(folder))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[1]\n", "no object"),
        ("x" * ((1 << 20) + 2), "too much"),
        (f'{{"bench_version": {BENCHMARK_VERSION}}}\n', "'lang' is None"),
    ],
)
def test_a_hostile_index_is_refused(folder: Path, text: str, said: str) -> None:
    (folder / "cases.jsonl").write_text(text)
    with pytest.raises(UserError, match=said):
        list(load_cases(folder))


def test_a_case_in_one_language_is_refused(folder: Path) -> None:
    path = folder / "cases.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(lines[0])
    with pytest.raises(UserError, match="one language"):
        list(load_cases(folder))
    path.write_text("".join([*lines[:2], *lines[:2]]))
    with pytest.raises(UserError, match="again"):
        list(load_cases(folder))


def test_a_folder_without_cases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cases\.jsonl is missing"):
        list(load_cases(tmp_path))
