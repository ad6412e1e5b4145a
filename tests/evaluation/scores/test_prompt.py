"""One answer scored: the anchors at their places, and every fault with a status."""

import math
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import Prompt
from tbstar_jax.evaluation.scores import prompt as prompt_module
from tbstar_jax.evaluation.scores.pixels import whole_distances
from tbstar_jax.evaluation.scores.prompt import (
    cropped,
    decode_answer,
    score_answer,
    stretched,
)
from tbstar_jax.evaluation.scores.record import ScoreRecord
from tbstar_jax.metrics.resampling import Motion, moved_back
from tests.evaluation.scores.answers import TASKS, case_of, resized


def score(task, answer, status="ok"):
    prompt = Prompt(case=case_of(task), language="en")
    return score_answer(
        prompt, answer, system="ours", status=status, reader=None, output="a.png"
    )


@pytest.mark.parametrize("task", TASKS)
def test_copying_scores_zero_and_the_reference_one(task):
    case = case_of(task)
    copy, oracle = score(task, case.source), score(task, case.reference)
    assert copy.consistency == copy.edit == 0.0
    assert copy.preservation == 1.0
    assert oracle.edit == 1.0
    assert oracle.consistency >= 0.99


def test_c_is_the_geometric_mean_of_e_and_p():
    case = case_of("recolor")
    half = np.rint(0.5 * case.source + 0.5 * case.reference).astype(np.uint8)
    half[:, : case.size[1] // 4] //= 2  # and a quarter of the photo is darkened
    record = score("recolor", half)
    assert 0 < record.edit < 1
    assert 0 < record.preservation < 1
    assert record.consistency**2 == pytest.approx(record.edit * record.preservation)
    area = record.metrics["preservation_area"]
    assert area > record.preservation  # the dark quarter is lost in whole tiles
    by_area = record.metrics["consistency_area"]
    assert by_area**2 == pytest.approx(record.edit * area)


def test_too_much_edited_costs_p_and_not_e():
    case = case_of("object_remove")
    answer = case.reference.copy()
    answer[:12] = 255 - answer[:12]
    record = score("object_remove", answer)
    assert record.edit > 0.95
    assert record.preservation < 0.95


def test_a_record_says_what_was_asked_and_stores():
    record = score("recolor", case_of("recolor").reference)
    assert (record.prompt, record.case) == (
        "smoke/recolor/000/en",
        "smoke/recolor/000",
    )
    assert (record.system, record.output, record.status) == ("ours", "a.png", "ok")
    assert record.size == case_of("recolor").size
    assert record.metrics["psnr_keep"] == math.inf
    again = ScoreRecord.from_json(record.to_json())
    assert again.to_json() == record.to_json()


def test_metrics_have_the_same_names_in_every_task():
    names = {
        frozenset(score(task, case_of(task).reference).metrics)
        for task in ("recolor", "outpaint", "text_add", "light_shadow")
    }
    assert len(names) == 1
    (only,) = names
    assert {"psnr_keep", "keep_within_2", "edit_accuracy_5", "text_cer"} <= only
    assert {"preservation_crop", "iou_5", "shift", "glyph_iou"} <= only


@pytest.mark.parametrize("status", ["missing", "decode_error"])
def test_without_a_picture_everything_is_zero(status):
    record = score("recolor", None, status=status)
    assert (record.status, record.size) == (status, None)
    assert (record.edit, record.preservation, record.consistency) == (0.0, 0.0, 0.0)
    assert dict(record.edit_parts) == {}
    assert record.metrics == {"preservation_area": 0.0, "consistency_area": 0.0}


@pytest.mark.parametrize("status", ["ok", "missing"])
def test_a_status_that_contradicts_the_answer_is_our_mistake(status):
    answer = None if status == "ok" else case_of("recolor").reference
    with pytest.raises(ValueError, match="contradicts"):
        score("recolor", answer, status=status)


def test_a_moved_answer_keeps_e_and_loses_p():
    case = case_of("text_remove")
    moved = moved_back(case.reference, Motion(zoom=1.0, rows=-3.0, columns=2.0))
    record = score("text_remove", moved)
    assert record.edit > 0.9
    assert record.metrics["shift"] == pytest.approx(math.hypot(3, 2), abs=0.1)
    assert record.preservation < 0.7


def test_texts_of_a_moved_answer_are_told_of_both_forms():
    case = case_of("text_replace_en")
    moved = moved_back(case.reference, Motion(zoom=1.0, rows=-4.0, columns=5.0))
    metrics = score("text_replace_en", moved).metrics
    assert metrics["glyph_iou"] > 0.95
    assert metrics["glyph_iou_raw"] < 0.6
    still = score("text_replace_en", case.reference).metrics
    assert still["glyph_iou"] == still["glyph_iou_raw"] == 1


def test_a_far_moved_answer_is_judged_where_it_lies():
    case = case_of("recolor")
    moved = moved_back(case.reference, Motion(zoom=1.0, rows=0.0, columns=-12.0))
    record = score("recolor", moved)
    assert record.preservation == 0.0
    assert record.edit < 0.9


def test_another_size_is_stretched_scored_and_told():
    case = case_of("recolor")
    double = (2 * case.size[0], 2 * case.size[1])
    record = score("recolor", resized(case.reference, double))
    assert (record.status, record.size) == ("wrong_size", double)
    assert record.edit > 0.9
    names = ("edit_crop", "preservation_crop", "consistency_crop")
    assert all(math.isnan(record.metrics[name]) for name in names)
    assert record.metrics["aspect_error"] == 0


def test_where_the_aspect_differs_the_crop_is_measured_too():
    case = case_of("recolor")
    margin = case.size[1] // 4
    wide = np.pad(case.reference, [(0, 0), (margin, margin), (0, 0)], mode="edge")
    record = score("recolor", wide)
    assert record.status == "wrong_size"
    assert record.metrics["aspect_error"] == pytest.approx(math.log(1.5))
    assert record.metrics["preservation_crop"] > 0.99
    assert record.metrics["edit_crop"] > 0.99
    assert record.metrics["consistency_crop"] > 0.99
    assert record.preservation < 0.7


def test_distances_from_the_reference_are_of_the_answer_as_it_lies():
    case = case_of("recolor")
    moved = np.roll(case.reference, 3, axis=1)
    error = (case.reference.astype(np.float64) - moved) / 255
    metrics = score("recolor", moved).metrics
    assert metrics["l1_reference"] == pytest.approx(np.abs(error).mean())
    assert metrics["l2_reference"] == pytest.approx(np.square(error).mean())
    change = np.abs(case.source.astype(np.float64) - moved) / 255
    assert metrics["l1_source"] == pytest.approx(change.mean())
    assert score("recolor", case.source).metrics["l1_source"] == 0


def test_distances_of_another_size_are_taken_after_a_bicubic_resize():
    reference = case_of("recolor").reference
    small = resized(reference, (48, 56))
    size = (reference.shape[1], reference.shape[0])
    fitted = np.asarray(Image.fromarray(small).resize(size))  # Pillow's default
    expected = np.abs((reference.astype(np.float64) - fitted) / 255).mean()
    metrics = whole_distances(255 - reference, reference, small)
    assert metrics["l1_reference"] == pytest.approx(expected)
    inverted = np.abs((255.0 - reference - fitted) / 255).mean()
    assert metrics["l1_source"] == pytest.approx(inverted)


def test_an_outpainting_of_another_size_is_not_done():
    record = score("outpaint", resized(case_of("outpaint").reference, (64, 64)))
    assert (record.status, record.edit) == ("wrong_size", 0.0)
    assert record.consistency == 0.0
    assert record.edit_parts == {"size": 0.0}


def test_a_cover_crop_cuts_the_middle_out():
    image = np.zeros((4, 8, 3), np.uint8)
    image[:, 2:6] = 200
    assert cropped(image, (4, 4)).min() == 200
    assert stretched(image, (4, 4)).shape == (4, 4, 3)
    assert stretched(image, (4, 4)).min() < 50


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_a_lossless_file_is_read_bit_for_bit(tmp_path, suffix):
    image = case_of("recolor").reference
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(image).save(path, lossless=True)
    np.testing.assert_array_equal(decode_answer(path), image)


def test_a_file_that_is_no_picture_is_told(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"<html>502</html>")
    with pytest.raises(UserError, match=r"a\.png is not a readable"):
        decode_answer(path)
    with pytest.raises(UserError, match="cannot read"):
        decode_answer(tmp_path / "absent.png")
    with pytest.raises(UserError, match="cannot read"):
        decode_answer(tmp_path)


def test_a_file_cut_short_is_told(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(case_of("recolor").reference).save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match="damaged or truncated"):
        decode_answer(path)


def test_a_bomb_is_not_decoded(tmp_path):
    def chunk(name, data):
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    path = tmp_path / "a.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") * 2
    )
    with pytest.raises(UserError, match="million pixels"):
        decode_answer(path)


def test_a_file_of_too_many_bytes_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(prompt_module, "MAX_FILE_BYTES", 1 << 20)
    path = tmp_path / "a.png"
    path.write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(UserError, match="more bytes than the limit of 1 MiB"):
        decode_answer(path)
