"""TextEdit's measures on texts whose places and scores are written out."""

import pytest

from tbstar_jax.data_engine.filter.text import Text
from tbstar_jax.evaluation.public.items import Texts
from tbstar_jax.evaluation.public.words import (
    alphanumerics,
    lines_of,
    similarity,
    word_scores,
)
from tbstar_jax.evaluation.text.normalise import normalise

TEXTS = Texts(before="SALE", after="GIFT")


def at(text, top, left=0, height=20, width=100):
    return Text(text=text, box=(top, left, top + height, left + width))


BEFORE = (at("SALE", 0), at("Tea", 100), at("50 g", 200))


def scores(after, before=BEFORE, texts=TEXTS, normalise=alphanumerics):
    return word_scores(before, after, texts, normalise)


def test_letters_and_digits_alone_are_compared():
    assert alphanumerics(" \uff21b\u00a5 59.9% \u8336\u53f6! ") == "ab599\u8336\u53f6"
    assert alphanumerics("59.9") == alphanumerics("599")
    assert normalise("59.9") != normalise("599")


def test_similarity_is_the_published_one():
    assert similarity("gift", "gift") == 1.0
    assert similarity("", "") == 1.0
    assert similarity("gift", "gilt") == pytest.approx(1 - 1 / 4.00001, abs=1e-12)
    assert similarity("gift", "") == pytest.approx(0.0, abs=1e-5)


def test_a_right_edit_scores_one():
    found = scores((at("GIFT", 0), at("Tea", 100), at("50 g", 200)))
    assert found.is_found
    for value in found.values().values():
        assert value == pytest.approx(1.0, abs=1e-5)


def test_a_copy_of_the_photo_earns_only_the_lines_it_kept():
    found = scores(BEFORE)
    # No letter of GIFT is in SALE; the other two lines weigh a quarter each.
    assert found.target_accuracy == pytest.approx(0.0, abs=1e-5)
    assert found.recall == pytest.approx(0.5, abs=1e-5)
    assert found.precision == pytest.approx(0.5, abs=1e-5)
    assert found.roi_ned == pytest.approx(0.0, abs=1e-5)


def test_a_line_that_was_lost_costs_recall_and_one_too_many_precision():
    lost = scores((at("GIFT", 0), at("Tea", 100)))
    assert lost.recall == pytest.approx(0.75, abs=1e-5)
    assert lost.precision == pytest.approx(1.0, abs=1e-5)
    assert lost.f1 == pytest.approx(2 * 0.75 / 1.75, abs=1e-5)
    added = scores((at("GIFT", 0), at("Tea", 100), at("50 g", 200), at("zzz", 300)))
    assert added.recall == pytest.approx(1.0, abs=1e-5)
    assert added.precision == pytest.approx(1 / 1.25, abs=1e-5)


def test_the_old_text_left_elsewhere_costs_four_fifths():
    after = (at("GILT", 0), at("Tea", 100), at("50 g", 200), at("SALE", 300))
    assert scores(after).target_accuracy == pytest.approx(0.2 * 0.75, abs=1e-5)
    both = (at("GIFT", 0), at("Tea", 100), at("50 g", 200), at("SALE", 300))
    assert scores(both).target_accuracy == pytest.approx(1.0, abs=1e-5)


def test_the_new_text_elsewhere_is_not_in_the_region():
    found = scores((at("GIFT", 400), at("Tea", 100), at("50 g", 200)))
    assert found.target_accuracy == 0.0
    assert found.roi_ned == 0.0


def test_a_text_in_two_boxes_of_a_line_is_joined_from_left_to_right():
    after = (at("FT", 2, left=50, width=50), at("GI", 0, width=50), *BEFORE[1:])
    found = scores(after)
    assert found.target_accuracy == pytest.approx(1.0, abs=1e-5)
    assert found.roi_ned == pytest.approx(1.0, abs=1e-5)
    lines = lines_of(after)
    assert [[text.text for text in line] for line in lines] == [
        ["GI", "FT"],
        ["Tea"],
        ["50 g"],
    ]


@pytest.mark.parametrize("before", [(), (at("nothing alike", 0),)])
def test_a_photo_whose_old_text_is_not_read_is_all_zeros_and_says_so(before):
    found = scores((at("GIFT", 0),), before=before)
    assert not found.is_found
    assert set(found.values().values()) == {0.0}


def test_an_answer_without_any_text_is_zero_though_the_photo_was_read():
    found = scores(())
    assert found.is_found
    assert set(found.values().values()) == {0.0}


def test_a_lost_point_in_a_price_is_seen_by_our_normalisation_alone():
    texts = Texts(before="49.9", after="59.9")
    before, after = (at("49.9", 0), at("Tea", 100)), (at("599", 0), at("Tea", 100))
    theirs = scores(after, before, texts)
    ours = scores(after, before, texts, normalise)
    assert theirs.target_accuracy == pytest.approx(1.0, abs=1e-5)
    assert ours.target_accuracy == pytest.approx(0.75, abs=1e-5)
