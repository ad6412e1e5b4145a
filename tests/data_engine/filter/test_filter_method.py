"""The method: scores of a record, warping back, what is passed on, injected tools."""

import contextlib
import dataclasses
import io
import json
import math
import re
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
from PIL import Image

from tbstar_jax.data_engine.annotate import scores_of
from tbstar_jax.data_engine.filter.edits import shifted
from tbstar_jax.data_engine.filter.method import MeasurePairs
from tbstar_jax.data_engine.stage import Reject
from tbstar_jax.data_engine.store.codecs import is_lossless_file
from tbstar_jax.data_engine.text_reader import Text
from tbstar_jax.input_pipeline.images import decode_image, encode_png
from tbstar_jax.input_pipeline.records import EditRecord
from tests.data_engine.filter.measured_pairs import SIDE, measured, record
from tests.data_engine.filter.photographs import square


def test_an_exact_pair_has_all_scores_finite_and_its_bytes_kept():
    before = record()
    after = measured(before)
    scores = scores_of(after)
    assert dataclasses.replace(after, provenance=before.provenance) == before
    assert all(math.isfinite(value) for value in scores.values())
    assert {name.partition("/")[0] for name in scores} == {"filter"}
    expected = {
        "aspect_error": 0,
        "size_ratio": 1,
        "lossless": 1,
        "region_declared": 1,
        "shift_px": 0,
        "aligned_px": 0,
        "zoom": 1,
        "leak_share": 0,
        "identical_share": 1,
        "blur_ratio": 1,
        "text_kept": 1,
        "color_name_error": 0,
    }
    assert {name: scores[f"filter/{name}"] for name in expected} == expected


def test_a_displaced_target_is_warped_back_and_noted():
    source = square(4, SIDE + 24)
    target = shifted(source, 1.6, -2.2)[12:-12, 12:-12].copy()
    before = record(source[12:-12, 12:-12].copy(), target)
    after = measured(before)
    scores = scores_of(after)
    assert scores["filter/aligned_px"] == pytest.approx(math.hypot(1.6, 2.2), abs=0.1)
    assert scores["filter/shift_px"] < 0.05
    assert "filter/identical_share" not in scores
    assert after.provenance["transform"] == "warp"
    json.dumps(after.provenance)
    assert after.target_image != before.target_image
    assert after.source_images == before.source_images
    back = decode_image(after.target_image)
    rest = np.s_[10:25, 10:-10]
    before_error, after_error = (
        np.abs(image[rest].astype(int) - decode_image(before.source_images[0])[rest])
        for image in (target, back)
    )
    assert after_error.mean() < 0.2 * before_error.mean()


def test_too_large_a_displacement_and_a_small_one_stay():
    source = square(4, SIDE + 24)
    for rows, low, high in ((9.0, 8.9, 9.1), (0.2, 0.15, 0.25)):
        target = shifted(source, rows, 0.0)[12:-12, 12:-12].copy()
        before = record(source[12:-12, 12:-12].copy(), target)
        after = measured(before)
        assert after.target_image == before.target_image
        assert scores_of(after)["filter/aligned_px"] == 0
        assert low < scores_of(after)["filter/shift_px"] < high
        assert after.provenance["transform"] == "construct"


def test_measuring_again_replaces_what_was_measured_and_keeps_the_rest():
    stale = {"filter/leak_share": 0.5, "filter/text_kept": 0.0, "judge/overall": 3.0}
    once = measured(record(provenance={"scores": stale}, change_mask=b""))
    scores = scores_of(once)
    assert scores["judge/overall"] == 3
    assert "filter/leak_share" not in scores
    assert "filter/text_kept" not in scores
    assert measured(once) == once


def test_photos_and_text_to_image_records_pass():
    for one in (record(target_image=b""), record(source_images=())):
        assert measured(one) == one


def test_another_size_is_measured_scaled_and_another_aspect_is_not():
    source = square(0, SIDE)
    image = Image.fromarray(source)
    double = np.asarray(image.resize((2 * SIDE, 2 * SIDE), Image.Resampling.BICUBIC))
    scores = scores_of(measured(record(source, double)))
    assert scores["filter/size_ratio"] == 2
    assert scores["filter/shift_px"] < 0.1
    wide = np.asarray(image.resize((2 * SIDE, SIDE)))
    scores = scores_of(measured(record(source, wide)))
    assert scores["filter/aspect_error"] == pytest.approx(math.log(2))
    assert "filter/shift_px" not in scores


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"target_image": b"GIF89a"}, "target_image of 'r1' is not a readable"),
        (
            {"change_mask": encode_png(np.zeros((9, 9), np.uint8))},
            "mask .* is \\(9, 9\\)",
        ),
        ({"source_images": (b"",)}, "source_images\\[0\\] of 'r1'"),
    ],
)
def test_what_cannot_be_decoded_is_a_reject(changes, reason):
    out = measured(record(**changes))
    assert isinstance(out, Reject)
    assert out.row == "r1"
    assert re.search(reason, out.reason)


def test_lossless_files_are_told_by_their_bytes():
    image = Image.fromarray(square(0, 32))

    def saved(format, **options):
        buffer = io.BytesIO()
        image.save(buffer, format, **options)
        return buffer.getvalue()

    assert is_lossless_file(saved("PNG"))
    assert is_lossless_file(saved("WEBP", lossless=True))
    assert is_lossless_file(
        saved("WEBP", lossless=True, exif=b"Exif\0\0MM\0*\0\0\0\10\0\0")
    )
    assert not is_lossless_file(saved("WEBP", quality=90))
    assert not is_lossless_file(saved("JPEG"))
    assert not is_lossless_file(b"RIFF\0\0\0\0WEBPVP8X\xff\xff\xff\xff")


@dataclasses.dataclass(frozen=True)
class Tool:
    """Opens a tool that answers the same always."""

    answer: object
    fingerprint: str = "tool"

    @contextlib.contextmanager
    def open(self):
        yield lambda image: self.answer


def test_injected_tools_add_their_scores():
    method = MeasurePairs(
        reader=Tool((Text(text="SALE", box=(10, 10, 20, 30)),)),
        embedder=Tool(np.array([3.0, 4.0])),
        judge=Tool({"overall": 4.5, "nothing": math.nan}),
    )
    scores = scores_of(measured(record(), method))
    assert scores["filter/text_kept"] == 1
    assert scores["filter/embedding_similarity"] == pytest.approx(1)
    assert scores["judge/overall"] == 4.5
    assert "judge/nothing" not in scores


def test_settings_and_tools_are_in_the_fingerprint_and_threads_are_not():
    plain = MeasurePairs()
    ForkingPickler.dumps(plain)
    others = [
        MeasurePairs(max_kept_shift=0.3),
        MeasurePairs(judge=Tool({})),
        MeasurePairs(embedder=Tool({})),
        MeasurePairs(judge=Tool({}, fingerprint="another")),
    ]
    assert len({one.fingerprint for one in (plain, *others)}) == 5
    assert MeasurePairs(num_threads=4).fingerprint == plain.fingerprint


def test_an_exact_outpainting_lost_no_text():
    """The grey frame's edge lies where glyphs are looked for; all inside is equal."""
    target = np.full((128, 128, 3), (237, 224, 196), np.uint8)
    target[32:96, 32:48] = (110, 112, 118)
    source, mask = target.copy(), np.zeros((128, 128), np.uint8)
    for window in (np.s_[:20], np.s_[-20:], np.s_[:, :20], np.s_[:, -20:]):
        source[window], mask[window] = 128, 255
    pair = EditRecord(
        key="frame",
        source_images=(encode_png(source),),
        target_image=encode_png(target),
        change_mask=encode_png(mask),
        instructions_en=("extend on all sides",),
        instructions_zh=(),
        task="outpaint",
        scene="frame",
        provenance={},
    )
    with MeasurePairs().open() as transform:
        (after,) = transform(pair, np.random.default_rng(0))
    assert scores_of(after)["filter/text_kept"] == 1.0
