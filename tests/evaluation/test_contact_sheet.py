"""The contact sheet: what is drawn, what is counted, what is quoted."""

import base64
import math

import numpy as np
import pytest
from PIL import Image

from tbstar_jax.evaluation.consistency import ConsistencyScores, summarize
from tbstar_jax.evaluation.sheet.contents import (
    ContactSheet,
    ScoreRow,
    ScoreTable,
    SheetColumn,
    SheetRow,
    ShownEdit,
)
from tbstar_jax.evaluation.sheet.html import sheet_html
from tbstar_jax.evaluation.sheet.png import sheet_png
from tbstar_jax.evaluation.sheet.tables import cells, markdown, percent, plain_text

COLORS = {"source": (10, 20, 30), "edit": (200, 40, 50), "wide": (60, 70, 220)}


def _scores(**changed):
    scores = {
        "psnr_outside": 30.0,
        "psnr_inside": 20.0,
        "ciede2000_outside": 1.5,
        "share_identical_outside": 0.5,
        "share_identical": 0.5,
        "shift": 0.0,
        "gate_iou": 0.9,
    }
    return ConsistencyScores(**{**scores, **changed})


def _table(*scores):
    row = ScoreRow(name="stage 2", note="800 steps", summary=summarize(scores))
    return ScoreTable(title="shipped", rows=(row,))


@pytest.fixture
def sheet(tmp_path):
    paths = {}
    for name, color in COLORS.items():
        size = (48, 40) if name == "wide" else (40, 40)
        paths[name] = tmp_path / f"{name}.png"
        Image.new("RGB", size, color).save(paths[name])
    edit = ShownEdit(
        title="a photograph",
        instruction="换成<白>色",
        english="make it white",
        model="stage 2, shipped, 800 steps",
        result="97.00 % of the pixels are bit-identical",
        source=paths["source"],
        edit=paths["edit"],
        mask=paths["wide"],
    )
    return ContactSheet(
        title="A & B",
        notes=("a note",),
        edits=(edit,),
        rows=(
            SheetRow(task="recolor", instruction="red -> <blue>", translation="红变蓝"),
            SheetRow(task="bg_white", instruction="on white", translation="白底"),
        ),
        source=SheetColumn(
            title="source", note="rendered", pictures=(paths["source"],) * 2
        ),
        columns=(
            SheetColumn(
                title="stage 2",
                note="shipped, 800 steps",
                pictures=(paths["edit"], paths["wide"]),
            ),
        ),
        tables=(_table(_scores()),),
    )


def test_every_mean_stands_beside_its_count():
    assert cells(_table(_scores(), _scores(psnr_inside=22.0))) == [
        (
            "stage 2",
            "800 steps",
            "30.00 (n=2)",
            "21.00 (n=2)",
            "1.50 (n=2)",
            "50.00 % (n=2)",
            "0.90 (n=2)",
        )
    ]


def test_identical_images_are_counted_and_not_averaged():
    exact = _scores(psnr_outside=math.inf)
    assert cells(_table(exact, _scores()))[0][2] == "30.00 (n=1, 1 exact)"
    assert cells(_table(exact, exact))[0][2] == "all exact (n=2)"


def test_an_undefined_score_is_a_dash():
    assert cells(_table(_scores(gate_iou=math.nan)))[0][6] == "-"


def test_a_share_is_rounded_down():
    assert percent(0.99999) == "99.99 %"
    assert percent(1.0) == "100.00 %"


def test_a_markdown_table_has_one_line_per_model():
    lines = markdown(_table(_scores())).splitlines()
    assert lines[0] == "**shipped**"
    assert lines[3] == "| --- | --- | --: | --: | --: | --: | --: |"
    assert lines[4].startswith("| stage 2 | 800 steps | 30.00 (n=1) | 20.00 (n=1) |")
    assert len(lines) == 5


def test_a_plain_table_is_aligned():
    title, heads, row = plain_text(_table(_scores())).splitlines()
    assert title == "shipped"
    assert heads.index("PSNR inside") == row.index("20.00")


def test_the_page_embeds_the_bytes_of_the_files(sheet):
    html = sheet_html(sheet)
    for path in (sheet.source.pictures[0], *sheet.columns[0].pictures):
        data = base64.b64encode(path.read_bytes()).decode()
        assert f'src="data:image/png;base64,{data}"' in html


def test_the_page_escapes_texts_and_keeps_chinese(sheet):
    html = sheet_html(sheet)
    assert "<title>A &amp; B</title>" in html
    assert "red -&gt; &lt;blue&gt;" in html
    assert "换成&lt;白&gt;色" in html
    assert "红变蓝" in html


def test_a_column_is_headed_by_its_model_and_steps(sheet):
    assert "<th>stage 2<small>shipped, 800 steps</small></th>" in sheet_html(sheet)


def test_the_picture_holds_every_picture_unscaled(sheet):
    image = sheet_png(sheet)
    areas = {
        name: int((image == np.array(color, np.uint8)).all(axis=-1).sum())
        for name, color in COLORS.items()
    }
    # The three of the single edit are scaled to 112 rows.
    assert areas["source"] == 2 * 40 * 40 + 112 * 112
    assert areas["edit"] == 40 * 40 + 112 * 112
    assert areas["wide"] == 48 * 40 + 112 * round(48 * 112 / 40)


def test_a_column_without_a_picture_per_row_is_our_mistake(sheet):
    column = SheetColumn(title="x", note="", pictures=sheet.source.pictures[:1])
    with pytest.raises(AssertionError):
        ContactSheet(
            title="",
            notes=(),
            edits=(),
            rows=sheet.rows,
            source=sheet.source,
            columns=(column,),
            tables=(),
        )
