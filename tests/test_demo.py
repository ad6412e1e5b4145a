"""The demo, whole, with a reduced model, small sets and two steps per stage."""

import base64
import dataclasses
import re
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from data.tiny import split_of
from experiments import demo, retrain
from experiments.export import record_training, training_steps
from tbstar_jax.convert.folder import BASE_PARTS, load_weights, save_weights
from tbstar_jax.errors import UserError, run_command
from tbstar_jax.input_pipeline.records import RecordSource
from tbstar_jax.model.presets import tiny
from tests.support import reduced
from tests.support.drawn_weights import draw_parts

SETS = {"stage1": 40, "stage2": 40, "heldout": 6}


@dataclasses.dataclass(frozen=True)
class Ran:
    root: object
    out: object
    weights: object
    printed: str


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Everything one run of the command leaves and prints, in an empty clone."""
    root = tmp_path_factory.mktemp("demo")
    weights = root / "shipped"
    model = reduced.reduced_model()
    model = dataclasses.replace(
        model, num_steps=2, guidance_scale=1.0, pixel_budget=tiny().pixel_budget
    )
    save_weights(weights, model, draw_parts(model))
    record_training(weights, {"params": 70_000, "pattern_shifting": 1_500})
    out = root / "outputs" / "demo"
    lines = []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("DEMO_STEPS", "2")
        patch.setattr(demo, "_say", lines.append)
        patch.setattr(demo, "_DEMO_COUNTS", SETS)
        demo.main([f"--weights={weights}"])
    return Ran(root, out, weights, "\n".join(lines))


def _pictures(html):
    """Alternative text to the bytes of every embedded picture."""
    found = re.findall(r'<img alt="([^"]*)" src="data:image/png;base64,([^"]*)">', html)
    return {name: base64.b64decode(data) for name, data in found}


def test_the_command_writes_sheet_tables_edits_and_weights(ran):
    there = {path.name for path in ran.out.iterdir()}
    assert there == {
        "edits",
        "heldout",
        "runs",
        "sheet.html",
        "sheet.png",
        "table_shipped.md",
        "table_trained.md",
        "weights",
    }


def test_sets_that_are_missing_are_built_beside_the_full_ones(ran):
    assert not (ran.root / demo.BUILT_TINY).exists()
    built = {
        name: len(RecordSource(ran.root / demo.BUILT_DEMO / name, split_of(name)))
        for name in SETS
    }
    assert built == SETS
    assert "building stage1, stage2, heldout in" in ran.printed


def test_full_sets_are_used_where_they_are_built(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in SETS:
        (tmp_path / demo.BUILT_TINY / name).mkdir(parents=True)
    assert demo._data(tuple(SETS)) == demo.BUILT_TINY


def test_every_picture_of_the_page_is_a_file_on_disk(ran):
    html = (ran.out / "sheet.html").read_text(encoding="utf-8")
    files = {
        path.read_bytes()
        for folder in ("edits", "heldout")
        for path in (ran.out / folder).iterdir()
    }
    pictures = _pictures(html)
    assert html.count("<img ") == 4 * 3 + 6 * (2 + 4 + 3)
    assert set(pictures.values()) <= files


def test_the_page_needs_no_network_and_no_scripts(ran):
    html = (ran.out / "sheet.html").read_text(encoding="utf-8")
    # The pictures' base64 may spell anything.
    html = re.sub(r'src="data:image/png;base64,[^"]*"', "", html)
    assert len(html) < 100_000
    assert "http" not in html
    assert "<script" not in html
    assert 'name="viewport"' in html


def test_columns_are_headed_by_model_and_training_steps(ran):
    html = (ran.out / "sheet.html").read_text(encoding="utf-8")
    heads = re.findall(r"<th>([^<]*)<small>([^<]*)</small></th>", html)
    assert heads == [
        ("source", "rendered"),
        ("true edit", "rendered"),
        ("base", "shipped, 70,000 steps"),
        ("stage 1", "shipped, 1,500 steps"),
        ("stage 2", "shipped, steps not recorded"),
        ("edit mask of stage 2", "shipped, steps not recorded"),
        ("stage 1", "trained just now, 2 steps"),
        ("stage 2", "trained just now, 2 steps"),
        ("edit mask of stage 2", "trained just now, 2 steps"),
    ]


def test_the_page_shows_the_chinese_instructions(ran):
    html = (ran.out / "sheet.html").read_text(encoding="utf-8")
    assert "把棕色马克杯改成蓝色" in html


def test_kept_pixels_of_written_edits_are_the_source_s(ran):
    """Also where the edit is larger than the model: the photograph."""
    num_kept = 0
    for name in ("product", "photo"):
        source = np.asarray(Image.open(ran.out / "edits" / f"{name}.png"))
        for language in ("en", "zh"):
            stem = ran.out / "edits" / f"{name}_{language}"
            edit = np.asarray(Image.open(f"{stem}.png"))
            kept = np.asarray(Image.open(f"{stem}_mask.png")) == 0
            np.testing.assert_array_equal(edit[kept], source[kept])
            num_kept += int(kept.sum())
    assert num_kept > 0


@pytest.mark.parametrize(
    ("table", "title"), [("shipped", "shipped"), ("trained", "trained just now")]
)
def test_a_table_is_labelled_and_lists_all_four(ran, table, title):
    text = (ran.out / f"table_{table}.md").read_text(encoding="utf-8")
    lines = text.splitlines()
    assert lines[0] == f"**{title}**"
    names = [line.split("|")[1].strip() for line in lines[4:]]
    assert names == ["base", "stage 1", "stage 2", "copy the input"]
    assert title in ran.printed.splitlines()


def test_the_base_is_never_called_trained_just_now(ran):
    text = (ran.out / "table_trained.md").read_text(encoding="utf-8")
    base, stage1 = (line.split("|")[2].strip() for line in text.splitlines()[4:6])
    assert (base, stage1) == ("shipped, 70,000 steps", "2 steps")


def test_copying_the_input_keeps_every_pixel_outside(ran):
    text = (ran.out / "table_shipped.md").read_text(encoding="utf-8")
    copied = text.splitlines()[-1].split("|")
    assert copied[3].strip() == "all exact (n=6)"
    assert copied[6].strip() == "100.00 % (n=6)"


def test_stages_are_retrained_from_the_given_base(ran):
    shipped, trained = load_weights(ran.weights), load_weights(ran.out / "weights")
    assert training_steps(ran.out / "weights") == {
        "pattern_shifting": 2,
        "consistency": 2,
    }
    for part in BASE_PARTS:
        reduced.assert_identical(shipped.parts[part], trained.parts[part])


def test_the_sheet_is_one_opaque_picture(ran):
    with Image.open(ran.out / "sheet.png") as sheet:
        assert sheet.mode == "RGB"
        assert sheet.width >= 1120


def test_a_second_demo_sets_everything_of_the_first_aside(ran, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(ran.out, out)
    (out / "mine.txt").write_text("stays")
    before = {p.relative_to(out): p.read_bytes() for p in _files(out)}
    del before[next(p for p in before if p.name == "mine.txt")]
    demo._set_aside(out)
    assert [path.name for path in out.iterdir() if path.is_file()] == ["mine.txt"]
    earlier = out / "earlier-1"
    assert {p.relative_to(earlier): p.read_bytes() for p in _files(earlier)} == before
    (out / "sheet.html").write_text("second")
    demo._set_aside(out)
    assert (out / "earlier-2" / "sheet.html").read_text() == "second"
    assert (earlier / "sheet.html").exists()


@pytest.mark.slow
def test_the_number_of_steps_fits_the_time(ran, tmp_path, monkeypatch):
    """The measurement leaves nothing behind, and both stages get its number."""
    monkeypatch.setattr(retrain, "_SECONDS", {"stage1": 0.01, "stage2": 0.01})
    retraining = retrain.Retraining(
        base=load_weights(ran.weights),
        base_path=ran.weights,
        data=ran.root / demo.BUILT_DEMO,
        runs=tmp_path / "runs",
        out=tmp_path / "weights",
        num_steps=None,
    )
    retrain.retrain(retraining, lambda line: None)
    # The shortest run there is.
    assert training_steps(tmp_path / "weights") == {
        "pattern_shifting": 10,
        "consistency": 10,
    }
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [
        "stage1",
        "stage2",
    ]


def _files(directory):
    return [path for path in directory.rglob("*") if path.is_file()]


def test_missing_weights_are_one_sentence(tmp_path, capsys):
    argv = [f"--weights={tmp_path / 'none'}", f"--out={tmp_path / 'out'}"]
    assert run_command(demo.main, argv) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_weights_without_a_stage_are_refused(ran, tmp_path):
    shipped = load_weights(ran.weights)
    parts = {name: shipped.parts[name] for name in BASE_PARTS}
    save_weights(tmp_path / "base", shipped.config, parts)
    with pytest.raises(UserError, match="lacks pattern_shifting, consistency"):
        demo.load_demo_weights(tmp_path / "base")


def test_a_missing_photograph_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(UserError, match=r"pip install -e '\.\[demo\]'"):
        demo._photograph()


def test_the_flag_counts_before_the_environment():
    assert demo.parse_flags([], None).num_steps is None
    assert demo.parse_flags([], "7").num_steps == 7
    assert demo.parse_flags(["--steps=0"], "7").num_steps == 0


@pytest.mark.parametrize("text", ["-1", "many", "1.5"])
def test_a_number_of_steps_that_is_none_is_refused(text):
    with pytest.raises(UserError, match=f"DEMO_STEPS is '{text}' but must be"):
        demo.parse_flags([], text)
