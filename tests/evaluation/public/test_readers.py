"""Copies of each suite become items; what is wrong is named and left out."""

import json

import numpy as np
import pyarrow as pa
import pytest

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.public.items import SUITES
from tbstar_jax.evaluation.public.read import read_suite
from tbstar_jax.evaluation.public.textedit import group_of
from tests.evaluation.public import copies

ROWS = [
    copies.gedit_row(number, task, language)
    for number, task, language in (
        (1, "color_alter", "en"),
        (1, "color_alter", "cn"),
        (2, "text_change", "en"),
        (3, "subject-add", "cn"),
        (4, "ps_human", "en"),
    )
]


def stream(path, schema):
    return pa.ipc.new_stream(str(path), schema)


def file(path, schema):
    return pa.ipc.new_file(str(path), schema)


@pytest.mark.parametrize(
    "write",
    [
        copies.gedit_parquet,
        lambda folder, rows: copies.gedit_arrow(folder, rows, stream),
        lambda folder, rows: copies.gedit_arrow(folder, rows, file),
    ],
    ids=["parquet", "arrow stream", "arrow file"],
)
def test_gedit_tables_are_read_with_their_photos_in_any_order(tmp_path, write):
    suite = read_suite("gedit", write(tmp_path / "copy", ROWS))
    assert [item.id for item in suite.items] == [
        "color_alter/en/k1",
        "color_alter/cn/k1",
        "text_change/en/k2",
        "subject-add/cn/k3",
        "ps_human/en/k4",
    ]
    assert [item.language for item in suite.items] == ["en", "zh", "en", "zh", "en"]
    assert [sorted(item.flags) for item in suite.items] == [
        [],
        [],
        ["intersection"],
        [],
        ["intersection"],
    ]
    assert suite.items[0].case == suite.items[1].case == "color_alter/k1"
    for number in (0, 2, 4, 1, 3, 3):
        row = ROWS[number]["key"]
        expected = copies.picture(int(row[1:]))
        np.testing.assert_array_equal(suite.items[number].photos[0](), expected)


def test_gedit_json_lines_name_their_photos(tmp_path):
    suite = read_suite("gedit", copies.gedit_jsonl(tmp_path, ROWS))
    assert len(suite.items) == 5
    np.testing.assert_array_equal(suite.items[2].photos[0](), copies.picture(2))


def test_a_language_can_be_chosen(tmp_path):
    copy = copies.gedit_parquet(tmp_path, ROWS)
    assert len(read_suite("gedit", copy, "en").items) == 3
    assert len(read_suite("gedit", copy, "zh").items) == 2
    with pytest.raises(UserError, match="no items in zh"):
        read_suite("imgedit", copies.imgedit(tmp_path / "i", {"1": "add"}), "zh")


def test_the_other_name_of_gedits_photo_column_is_known(tmp_path):
    rows = [{**row, "source_image": row["input_image"]} for row in ROWS]
    for row in rows:
        del row["input_image"]
    suite = read_suite("gedit", copies.gedit_parquet(tmp_path, rows))
    np.testing.assert_array_equal(suite.items[4].photos[0](), copies.picture(4))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"task_type": "flying"}, "task_type is 'flying'"),
        ({"instruction_language": "fr"}, "instruction_language is 'fr'"),
        ({"instruction": "  "}, "'instruction'"),
        ({"instruction": "x" * 4001}, "4001 characters"),
        ({"Intersection_exist": None}, "Intersection_exist is None"),
        ({"key": "../../etc"}, "cannot name a file"),
        ({"key": "k1"}, "another item has this id"),
        ({"key": None}, "'key' is None"),
    ],
)
def test_a_bad_row_is_skipped_with_its_reason(tmp_path, fields, reason):
    rows = [ROWS[0], {**copies.gedit_row(7), **fields}, ROWS[4]]
    suite = read_suite("gedit", copies.gedit_parquet(tmp_path, rows))
    assert [item.id for item in suite.items] == ["color_alter/en/k1", "ps_human/en/k4"]
    (skipped,) = suite.skipped
    assert reason in skipped.reason


def test_a_photo_that_is_none_is_an_error_of_that_item_alone(tmp_path):
    rows = [
        ROWS[0],
        {**ROWS[2], "input_image": {"bytes": b"no", "path": None}},
        ROWS[4],
    ]
    suite = read_suite("gedit", copies.gedit_parquet(tmp_path, rows))
    with pytest.raises(UserError, match="not a readable image"):
        suite.items[1].photos[0]()
    np.testing.assert_array_equal(suite.items[2].photos[0](), copies.picture(4))


def test_imgedit_items_have_their_types(tmp_path):
    folder = copies.imgedit(tmp_path, {"7": "add", "12": "compose"})
    for path in (folder, folder / "basic_edit.json"):
        suite = read_suite("imgedit", path)
        found = [(item.id, item.task, item.language) for item in suite.items]
        assert found == [("7", "add", "en"), ("12", "compose", "en")]
    assert suite.items[0].as_item().source.shape == (6, 8, 3)


def test_imgedit_rows_that_leave_the_folder_or_have_no_type_are_skipped(tmp_path):
    save = copies.save
    save(tmp_path / "secret.png", copies.picture(1))
    folder = copies.imgedit(
        tmp_path / "copy",
        {
            "1": "add",
            "2": "flying",
            "3": {"id": "../../secret.png", "prompt": "x", "edit_type": "add"},
            "4": {"id": "absent.png", "prompt": "x", "edit_type": "add"},
            "5": ["no object"],
            "../6": {"id": "things/1.jpg", "prompt": "x", "edit_type": "add"},
            "7": {"id": "things/1.jpg", "prompt": "x", "edit_type": "uge"},
        },
    )
    suite = read_suite("imgedit", folder)
    assert [item.id for item in suite.items] == ["1"]
    reasons = " | ".join(one.reason for one in suite.skipped)
    for part in ("flying", "leaves the folder", "no file", "no object", "cannot name"):
        assert part in reasons
    assert len(suite.skipped) == 6


def test_uge_has_one_task_and_the_users_own_judge_text(tmp_path):
    entry = {"id": "a.png", "prompt": "take it away"}
    copies.save(tmp_path / "a.png", copies.picture(1))
    folder = copies.imgedit(tmp_path, {"1": entry}, "UGE_edit.json")
    assert read_suite("uge", folder).judge_texts == ()
    (folder / "uge_prompt.txt").write_text("mine: <edit_prompt>")
    suite = read_suite("uge", folder)
    assert [item.task for item in suite.items] == ["uge"]
    assert [text.marks for text in suite.judge_texts] == [("Score",)]
    (folder / "uge_prompt.txt").write_text("no place")
    with pytest.raises(UserError, match="<edit_prompt>"):
        read_suite("uge", folder)


def test_kwai_items_may_have_two_photos_and_bring_the_judges_texts(tmp_path):
    suite = read_suite("kwai", copies.kwai(tmp_path, {"tryon": [2, 2], "pose": [1]}))
    found = [(item.id, len(item.photos), item.language) for item in suite.items]
    assert found == [
        ("pose/0000", 1, "zh"),
        ("tryon/0000", 2, "zh"),
        ("tryon/0001", 2, "zh"),
    ]
    assert {text.task for text in suite.judge_texts} == {"tryon", "pose"}


def test_a_judges_text_without_four_marks_is_refused(tmp_path):
    folder = copies.kwai(tmp_path, {"pose": [1]}, marks=("a", "b", "c", "c"))
    with pytest.raises(UserError, match="4 different names"):
        read_suite("kwai", folder)


def test_textedit_items_know_both_texts_and_their_answer(tmp_path):
    folder = copies.textedit(tmp_path, [("one", "OLD", "NEW")])
    for path in (folder, folder / "eval_prompts" / "fullset"):
        (item,) = read_suite("textedit", path).items
        assert item.id == "1.1.1/one.0"
        assert (item.texts.before, item.texts.after) == ("OLD", "NEW")
        np.testing.assert_array_equal(item.reference(), copies.picture(1))
    assert [group_of(task) for task in ("1.4.4", "2.1")] == ["Virtual", "Real"]


def test_paintbench_is_read_from_files_and_from_tables(tmp_path):
    photo, right = copies.picture(1), copies.picture(2)
    folder = copies.paintbench(tmp_path / "files", [("border", 3, photo, right)])
    row = {
        "problem_id": 3,
        "task": "border",
        "instruction": "paint it",
        "input_image": {"bytes": copies.png(photo), "path": None},
        "answer_image": {"bytes": copies.png(right), "path": None},
    }
    for path in (folder, copies.gedit_parquet(tmp_path / "table", [row])):
        (item,) = read_suite("paintbench", path).items
        assert (item.id, item.task) == ("border/0003", "border")
        np.testing.assert_array_equal(item.photos[0](), photo)
        np.testing.assert_array_equal(item.reference(), right)


def test_paintbench_without_an_answer_is_skipped(tmp_path):
    photo = copies.picture(1)
    folder = copies.paintbench(
        tmp_path, [("border", 3, photo, photo), ("border", 4, photo, photo)]
    )
    (folder / "border" / "003_answer.png").unlink()
    suite = read_suite("paintbench", folder)
    assert [one.row for one in suite.skipped] == ["border/003"]


def test_kontext_items_of_one_photo_are_one_case(tmp_path):
    suite = read_suite("kontext", copies.kontext(tmp_path, ["0000_00", "0000_01"]))
    assert [item.id for item in suite.items] == ["0000_00", "0000_01"]
    assert len({item.case for item in suite.items}) == 1


@pytest.mark.parametrize("name", SUITES)
def test_an_empty_folder_is_one_clear_sentence(tmp_path, name):
    with pytest.raises(UserError, match=r"no |has no|holds no"):
        read_suite(name, tmp_path)


def test_an_unknown_suite_names_those_there_are(tmp_path):
    with pytest.raises(UserError, match=r"'gdit'.*gedit.*paintbench"):
        read_suite("gdit", tmp_path)


@pytest.mark.parametrize("name", ["rows.parquet", "rows.arrow", "rows.json"])
def test_a_damaged_table_is_one_clear_sentence(tmp_path, name):
    (tmp_path / name).write_bytes(b"PAR1 is not enough")
    with pytest.raises(UserError, match=name):
        read_suite("gedit", tmp_path)


def test_a_json_file_with_a_key_twice_is_refused(tmp_path):
    entry = json.dumps({"id": "a.png", "prompt": "x", "edit_type": "add"})
    (tmp_path / "basic_edit.json").write_text(f'{{"1": {entry}, "1": {entry}}}')
    with pytest.raises(UserError, match="twice"):
        read_suite("imgedit", tmp_path)
