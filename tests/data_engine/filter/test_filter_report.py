"""The report: counts, thresholds and examples are on it, hostile texts are not."""

import re

import numpy as np
import pytest

from tbstar_jax.data_engine.annotate import scores_of
from tbstar_jax.data_engine.filter import report
from tbstar_jax.data_engine.filter.histogram import histogram_svg
from tbstar_jax.data_engine.filter.report import report_html, write_report
from tbstar_jax.data_engine.filter.rules import STAGE_1
from tests.data_engine.filter.measured_pairs import measured, record

HOSTILE = '<script>alert("x")</script>'


def filtered():
    good = measured(record())
    same = measured(record(target_image=record().source_images[0]))
    hostile = measured(record(key=HOSTILE, instructions_en=(HOSTILE,)))
    records = [good, hostile, same, good, good]
    columns = {
        name: np.array([scores_of(one).get(name, np.nan) for one in records])
        for name in scores_of(good)
    }
    tasks = np.array([one.task for one in records])
    return records, columns, tasks


def page(**options):
    records, columns, tasks = filtered()
    keys = [one.key for one in records]
    return report_html(records.__getitem__, keys, columns, tasks, STAGE_1, **options)


def test_counts_rules_and_examples_are_shown():
    text = page()
    assert re.search(r"kept</td><td[^>]*>4</td><td[^>]*>80.00 %", text)
    assert re.search(r"rejected:no_change</td><td[^>]*>1</td>", text)
    assert "<h2>no_change</h2>" in text
    assert "filter/region_change" in text
    assert ">Caught<" in text
    assert ">Just kept<" in text
    # One caught and four kept ones, three pictures each.
    assert text.count("<img") == 15


def test_the_page_needs_no_network_and_runs_no_script():
    text = page()
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert set(re.findall(r'src="([^",]*)', text)) == {"data:image/jpeg;base64"}
    assert "http:" not in text
    assert "https:" not in text
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert f'Content-Security-Policy" content="{policy}"' in text


def test_what_a_method_said_counts_and_is_told_from_the_rules():
    statuses = np.array(["kept"] * 4 + ["rejected:unchanged"], object)
    statuses[2] = "rejected:no_change"
    text = page(statuses=statuses, title="<b>set</b>")
    assert re.search(r"kept</td><td[^>]*>3</td>", text)
    assert re.search(r"rejected:unchanged</td><td[^>]*>1</td>", text)
    assert "1 have a status that their method gave" in text
    assert "&lt;b&gt;set&lt;/b&gt;, 5 pairs" in text


def test_pictures_are_capped(monkeypatch):
    monkeypatch.setattr(report, "MAX_PICTURE_BYTES", 1)
    assert page().count("<img") == 3


def test_a_picture_that_cannot_be_shown_says_why(tmp_path):
    records, columns, tasks = filtered()
    broken = record(target_image=b"broken")
    path = tmp_path / "report.html"
    path.write_text("old")
    write_report(
        path, lambda row: broken, ["k"] * len(records), columns, tasks, STAGE_1
    )
    assert "target_image" not in path.read_text()
    assert "is not a readable PNG" in path.read_text()
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("limit", [None, 0.5])
def test_a_histogram_counts_every_value_once(limit):
    values = np.array([0.0, 0.1, 0.1, 0.9, np.nan, np.inf])
    svg = histogram_svg(values, limit, "a < b")
    assert sum(map(int, re.findall(r"<title>(\d+)</title>", svg))) == 4
    assert "(2 absent)" in svg
    assert "a &lt; b" in svg
    assert svg.count("<line") == (limit is not None)
    assert histogram_svg(np.full(3, np.nan), limit, "x").count("<rect") == 0
    assert histogram_svg(np.full(3, 2.0), limit, "x").count("<rect") == 1
