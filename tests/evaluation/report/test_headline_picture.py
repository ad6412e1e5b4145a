"""The picture of the README: what is where."""

import numpy as np
import pytest

from tbstar_jax.evaluation.report.headline import WIDTH, headline_picture
from tests.evaluation.report.contents import content, record, records

RED, GREY = (200, 20, 20), (200, 200, 200)
WRONG = (0xD5, 0x5E, 0x00)


def share(image, color):
    return float((image == np.array(color, np.uint8)).all(axis=2).mean())


def test_it_has_a_row_per_task_and_the_bars():
    one = headline_picture(content(), tasks=["recolor"])
    two = headline_picture(content(), tasks=["recolor", "bg_white"])
    every = headline_picture(content())
    assert one.dtype == np.uint8
    assert {image.shape[1] for image in (one, two, every)} == {WIDTH}
    row = two.shape[0] - one.shape[0]
    assert every.shape[0] == one.shape[0] + 2 * row
    assert row > 150


def test_columns_are_pictures_and_the_last_is_the_map():
    image = headline_picture(content(), tasks=["recolor"])
    row = image[30:180]
    columns = np.flatnonzero((row == np.array(RED, np.uint8)).all(axis=2).any(axis=0))
    starts = 1 + np.count_nonzero(np.diff(columns) > 30)
    assert starts == 3  # reference and the answers of two systems, not the source
    is_wrong = (row == np.array(WRONG, np.uint8)).all(axis=2)
    assert is_wrong.any()
    assert np.flatnonzero(is_wrong.any(axis=0)).min() > columns.max()
    assert share(image, (0x2F, 0x7F, 0xD0)) > 0.002  # bars of systems
    assert share(image, (0x85, 0x85, 0x8C)) > 0.002  # and of anchors


def test_a_system_without_an_answer_leaves_its_place_empty():
    rows = {"ours": records("ours", tasks=("recolor",)), "other": []}
    rows["other"] = [
        record("other", "recolor", k, "en", 0.0, status="missing") for k in range(3)
    ]
    with_gap = headline_picture(content(rows=rows))
    full = {"ours": rows["ours"], "other": records("other", tasks=("recolor",))}
    assert share(with_gap, RED) < share(headline_picture(content(rows=full)), RED)


def test_a_run_in_chinese_alone_has_a_picture_too():
    rows = {"ours": [record("ours", "recolor", 0, "zh", 0.5)]}
    assert headline_picture(content(rows=rows)).shape[1] == WIDTH
    with pytest.raises(ValueError, match="bg_white was not asked"):
        headline_picture(content(rows=rows), tasks=["bg_white"])
