"""The measures of an answer, with readers that say what they are told to."""

import dataclasses
import math

import numpy as np
import pytest

from tbstar_jax.evaluation.cases.case import KeptText, TargetText
from tbstar_jax.evaluation.text import measures as measures_module
from tbstar_jax.evaluation.text.measures import text_measures, text_skill
from tbstar_jax.evaluation.text.reader import Reader
from tbstar_jax.evaluation.text.reading import written_texts
from tests.evaluation.text.written import plate, union

SIZE = (72, 240)
INK = (30, 30, 34)
NEEDS_READER = {
    "text_read",
    "text_cer",
    "text_cer_ceiling",
    "text_cer_source",
    "text_ned",
    "text_exact",
    "price_exact",
    "keep_text_cer",
    "keep_text_cer_ceiling",
    "keep_text_exact",
    "text_read_raw",
    "text_cer_raw",
    "text_ned_raw",
    "text_exact_raw",
    "price_exact_raw",
    "keep_text_cer_raw",
    "keep_text_exact_raw",
}
NOWHERE = np.zeros(SIZE, bool)


@dataclasses.dataclass
class Told:
    """Reads what it is told to, in order; counts its calls."""

    texts: list
    name: str = "told"
    num_calls: int = 0

    def read(self, crops):
        self.num_calls += 1
        assert len(crops) == len(self.texts)
        return list(self.texts)


def printed(text):
    return plate(text, 24, size=SIZE)


def replaced(old, new, language="zh"):
    """Source, reference and the text that changed between them."""
    source, reference = printed(old or ""), printed(new or "")
    boxes = [one[1] for one, text in ((source, old), (reference, new)) if text]
    box = boxes[0] if len(boxes) == 1 else union(*boxes)
    text = TargetText(old=old, new=new, language=language, box=box, ink=INK)
    return source[0], reference[0], text


def measures(source, reference, answer, texts=(), kept=(), reader=None, raw=None):
    return text_measures(
        source=source,
        reference=reference,
        registered=answer,
        raw=answer if raw is None else raw,
        target_texts=texts,
        kept_texts=kept,
        zone=NOWHERE,
        reader=reader,
    )


def skill(source, reference, answer, texts, reads=None):
    """Of an answer whose text is read as the last of three, after the other two's."""

    def told(*texts):
        return None if reads is None else Told(list(texts))

    *others, now = reads or (None,)
    pictures = {"source": source, "reference": reference, "answer": answer}
    written = written_texts(
        **pictures, target_texts=texts, zone=NOWHERE, reader=told(now)
    )
    return text_skill(
        **pictures, target_texts=texts, written=written, reader=told(*others)
    )


def test_without_a_reader_nothing_is_invented():
    source, reference, text = replaced("天猫精选", "新品上市")
    kept = (KeptText(text="SALE", language="en", box=text.box),)
    found = measures(source, reference, reference, (text,), kept)
    assert {name for name, value in found.items() if math.isnan(value)} == (
        NEEDS_READER | {"ink_left"}
    )
    assert found["text_elsewhere"] == 0
    assert found["glyph_iou"] == found["ink_height_ratio"] == 1
    assert found["ink_color_error"] == 0


def test_without_texts_every_measure_is_undefined():
    source, reference, _ = replaced("天猫精选", "新品上市")
    reader = Told([])
    assert all(math.isnan(x) for x in measures(source, reference, source).values())
    found = measures(source, reference, source, reader=reader)
    assert all(math.isnan(x) for x in found.values())
    assert reader.num_calls == 0
    assert math.isnan(skill(source, reference, reference, ()))


def test_what_was_read_is_compared_with_what_is_known():
    source, reference, text = replaced("¥129", "¥59.9", None)
    kept = (
        KeptText(text="天猫", language="zh", box=text.box),
        KeptText(text="SALE", language="en", box=text.box),
    )
    # Reference, source and answer; the kept texts of the source are read before.
    reader = Told(["¥59.9", "¥129", "天猫", "SALE", "¥599", "天菊", "SALE"])
    found = measures(source, reference, reference, (text,), kept, reader)
    assert reader.num_calls == 1
    assert found["text_read"] == 1
    assert found["text_cer"] == 1 / 5
    assert found["text_cer_ceiling"] == 0
    assert found["text_cer_source"] == 3 / 5
    assert found["text_ned"] == 4 / 5
    assert found["text_exact"] == found["price_exact"] == 0
    assert found["keep_text_cer"] == (1 / 2 + 0) / 2
    assert found["keep_text_cer_ceiling"] == 0
    assert found["keep_text_exact"] == 1 / 2


def test_a_text_read_wrong_before_and_after_alike_was_kept():
    source, reference, text = replaced("¥129", "¥59.9", None)
    kept = (KeptText(text="天猫精选", language="zh", box=text.box),)
    misread = Told(["天猫精先", "天猫精先"])
    found = measures(source, reference, source, (), kept, misread)
    assert found["keep_text_exact"] == 1
    assert found["keep_text_cer"] == found["keep_text_cer_ceiling"] == 1 / 4
    unreadable = measures(source, reference, source, (), kept, Told(["", ""]))
    assert math.isnan(unreadable["keep_text_exact"])
    assert unreadable["keep_text_cer_ceiling"] == 1


def test_a_reader_that_cannot_read_gives_no_number():
    source, reference, text = replaced("SALE", "NEW", "en")
    told = Told(["NEW", "SALE", None])
    found = measures(source, reference, source, (text,), (), told)
    assert math.isnan(found["text_cer"])
    assert math.isnan(found["text_exact"])
    assert found["text_read"] == 0
    assert found["text_cer_ceiling"] == 0


def test_texts_that_the_reader_fails_on_are_counted_in_the_answer_alone():
    source, reference, text = replaced("SALE", "NEW", "en")
    removed = dataclasses.replace(text, new=None)
    kept = [KeptText(text=one, language="en", box=text.box) for one in ("A", "B", "C")]

    def share(others, *answer):
        # Reference and source at the one new text, source at the kept; the answer.
        reader = Told([*others, *answer])
        texts = (text, removed)
        return measures(source, reference, source, texts, kept, reader)["text_read"]

    unread = [None] * 5
    assert share(unread, "NEW", "A", "", "C") == 1
    assert share(["NEW", "", "A", "B", "C"], "NEW", "A", None, "C") == 3 / 4
    assert share(["NEW", "", "A", "B", "C"], None, None, None, "C") == 1 / 4


@pytest.mark.parametrize(
    "hostile",
    [
        "x" * 10**6,
        "\x00\x1b[2J\x07" * 999,
        "\u202e\u2066" * 999,
        "\ufdfa" * 9999,
        "9" * 999,
    ],
)
def test_what_a_reader_says_is_bounded(hostile):
    source, reference, text = replaced("¥129", "¥59.9", None)
    found = measures(source, reference, source, (text,), (), Told([hostile] * 3))
    assert 0 <= found["text_cer"] <= 256 / 5
    assert found["text_exact"] == found["price_exact"] == 0
    told = ["¥129", "¥59.9", hostile]
    assert skill(source, reference, source, (text,), told) == 0


def test_skill_is_nothing_for_the_source_and_all_for_the_reference():
    for old, new in (("天猫精选", "新品上市"), (None, "新品上市"), ("限时特惠", None)):
        source, reference, text = replaced(old, new)
        assert skill(source, reference, source, (text,)) == 0
        assert skill(source, reference, reference, (text,)) == 1
        assert skill(source, reference, printed("进口好物")[0], (text,)) < 0.1


def test_where_drawings_tell_nothing_either_the_pixels_do(monkeypatch):
    source, reference, text = replaced("天猫精选", "新品上市")
    half = ((source.astype(int) + reference) // 2).astype(np.uint8)
    # As where letters are as tall as their plate, and the plate is taken for ink.
    monkeypatch.setattr(measures_module, "glyph_overlap", lambda *_: 1.0)
    assert skill(source, reference, source, (text,)) == 0
    assert skill(source, reference, reference, (text,)) == 1
    assert 0.3 < skill(source, reference, half, (text,)) < 0.7


def test_a_bar_over_the_text_is_no_drawing_of_it():
    source, reference, text = replaced(None, "新品上市")
    answer = source.copy()
    answer[text.box.slices] = INK
    found = measures(source, reference, answer, (text,))
    assert 0.3 < found["glyph_iou"] < 0.6
    assert skill(source, reference, answer, (text,)) < 0.02


def test_the_answer_as_it_lies_is_measured_beside_the_registered_one():
    source, reference, text = replaced("¥129", "¥59.9", None)
    kept = (KeptText(text="SALE", language="en", box=text.box),)
    # Reference, source, kept of the source; registered and raw at the new text, then
    # at the kept one.
    reader = Told(["¥59.9", "¥129", "SALE", "¥59.9", "9.9", "SALE", "5ALE"])
    raw = np.roll(reference, 9, axis=1)
    found = measures(source, reference, reference, (text,), kept, reader, raw)
    assert reader.num_calls == 1
    assert (found["text_cer"], found["text_cer_raw"]) == (0, 2 / 5)
    assert (found["text_exact"], found["text_exact_raw"]) == (1, 0)
    assert (found["price_exact"], found["price_exact_raw"]) == (1, 0)
    assert found["text_ned_raw"] == 1 - 2 / 5
    assert (found["keep_text_cer"], found["keep_text_cer_raw"]) == (0, 1 / 4)
    assert (found["keep_text_exact"], found["keep_text_exact_raw"]) == (1, 0)
    assert found["glyph_iou"] == 1 > found["glyph_iou_raw"]
    assert found["text_read_raw"] == 1


def test_what_did_not_move_is_read_once():
    source, reference, text = replaced("¥129", "¥59.9", None)
    reader = Told(["¥59.9", "¥129", "¥599"])
    found = measures(source, reference, reference, (text,), (), reader)
    for name in ("text_cer", "text_ned", "text_exact", "price_exact", "glyph_iou"):
        assert found[name] == found[f"{name}_raw"]


def test_skill_is_measured_between_source_and_ceiling():
    source, reference, text = replaced("¥129", "¥59.9", None)

    def read_as(before, best, now):
        return skill(source, reference, source, (text,), [before, best, now])

    assert read_as("¥129", "¥59.9", "¥129") == 0
    assert read_as("¥129", "¥59.9", "¥59.9") == 1
    # The reader loses the sign even in the reference: losing it costs nothing.
    assert read_as("¥129", "59.9", "59.9") == 1
    assert read_as("¥129", "59.9", "¥59.9") == 1
    # Of the 3 errors of "¥129" one is left.
    assert read_as("¥129", "¥59.9", "¥599") == pytest.approx(2 / 3)
    assert read_as("¥129", "¥59.9", "a long text that is not there") == 0


def test_a_reader_that_misreads_the_reference_by_half_is_not_asked():
    source, reference, text = replaced("¥129", "¥59.9", None)
    for best, drawn in (("¥55.9", False), ("¥5", True), ("~", True)):
        for answer, worth in ((reference, 1.0), (source, 0.0)):
            # What it makes of the answer is the same garbage.
            found = skill(source, reference, answer, (text,), ["¥129", best, "|"])
            assert found == (worth if drawn else 0.0)


def test_where_reading_tells_nothing_the_drawing_does():
    source, reference, text = replaced("天猫精选", "新品上市")
    for blind in (["", "", ""], [None, None, None], ["x", None, "x"]):
        assert skill(source, reference, reference, (text,), blind) == 1
        assert skill(source, reference, source, (text,), blind) == 0


def test_a_removal_is_judged_by_what_is_left():
    source, clean, text = replaced("限时特惠", None)
    ghost = np.round(0.7 * clean + 0.3 * source).astype(np.uint8)
    found = measures(source, clean, ghost, (text,))
    assert found["ink_left"] == pytest.approx(0.3, abs=0.01)
    assert math.isnan(found["glyph_iou"])
    assert skill(source, clean, ghost, (text,)) == pytest.approx(0.7, abs=0.01)


def test_a_reader_is_anything_that_reads():
    assert isinstance(Told([]), Reader)
    assert not isinstance(str, Reader)
