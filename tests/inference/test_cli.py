"""The edit command, around a small function that paints what it may paint red."""

import functools
import subprocess
import sys
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from tbstar_jax.errors import UserError, run_command
from tbstar_jax.inference.cli import run
from tbstar_jax.inference.cli_arguments import Attention
from tbstar_jax.inference.composite import composite
from tbstar_jax.model.attention import AttentionKernel

RED = (250, 10, 10)


@dataclass
class Edit:
    image: np.ndarray
    edit_mask: np.ndarray


def paint_red(
    image, instruction, *, references, mask, seed, num_steps, guidance, preserve
):
    """An editor: the mask, or without one the top half, becomes red."""
    if mask is None:
        mask = np.zeros(image.size, np.uint8)
        mask[: image.size[0] // 2] = 255
    edited = np.full((*image.size, 3), RED, np.uint8)
    return Edit(composite(image, edited, mask, feather_px=0), mask)


def run_red(*arguments):
    run([str(argument) for argument in arguments], lambda loading: paint_red)


def write_photo(path, size=(20, 30), channels=3, **options):
    shape = (*size, channels)
    pixels = np.random.default_rng(0).integers(0, 200, shape, np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return pixels


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture
def photo(tmp_path):
    write_photo(tmp_path / "in.png")
    return tmp_path / "in.png"


def test_an_edit_is_written_and_its_kept_share_reported(tmp_path, photo, capsys):
    out, mask = tmp_path / "out.png", tmp_path / "e.png"
    run_red(photo, "paint it red", "-o", out, "--mask-out", mask)
    before, after = read(photo), read(out)
    np.testing.assert_array_equal(after[10:], before[10:])
    assert (after[:10] == RED).all()
    assert (read(mask)[:10] == 255).all()
    assert (read(mask)[10:] == 0).all()
    assert capsys.readouterr().out == (
        f"{out}: 50.00 % of the photo's pixels are bit-identical\n"
        f"{mask}: edit mask, white = edited\n"
    )


def test_every_option_reaches_the_editor(tmp_path, photo):
    seen = {}

    def load(loading):
        seen.update(vars(loading))

        def edit(image, instruction, **options):
            seen.update(options, instruction=instruction)
            return paint_red(image, instruction, **options)

        return edit

    mask = np.zeros((20, 30), np.uint8)
    mask[3:5, 4:9] = 255
    Image.fromarray(mask).save(tmp_path / "m.png")
    options = "--seed 7 --steps 3 --guidance 2.5 --preserve latent --checkpoint runs/x"
    options += " --mesh 1x4 --attention xla"
    paths = ["-o", str(tmp_path / "out.png"), "--mask", str(tmp_path / "m.png")]
    further = write_photo(tmp_path / "cup.png", size=(9, 8))
    paths += ["--reference", str(tmp_path / "cup.png")]
    run([str(photo), "换成红色", *paths, *options.split()], load)
    np.testing.assert_array_equal(seen.pop("mask"), mask)
    (reference,) = seen.pop("references")
    np.testing.assert_array_equal(reference.rgb, further)
    assert str(seen.pop("checkpoint")) == "runs/x"
    assert seen == {
        "instruction": "换成红色",
        "seed": 7,
        "num_steps": 3,
        "guidance": 2.5,
        "preserve": "latent",
        "loras": [],
        "mesh": "1x4",
        "attention": "xla",
    }


def test_the_implementations_of_attention_are_the_models():
    assert get_args(Attention) == get_args(AttentionKernel)


def test_a_lossy_output_is_written_with_a_warning(tmp_path, photo, capsys):
    run_red(photo, "red", "-o", tmp_path / "out.jpg")
    output = capsys.readouterr()
    assert (tmp_path / "out.jpg").exists()
    assert "warning: " in output.err
    assert "lossy" in output.err
    assert "50.00 %" not in output.out


def test_a_larger_canvas_keeps_the_photo_and_edits_the_rest(tmp_path, photo, capsys):
    out = tmp_path / "out.png"
    run_red(photo, "red", "-o", out, "--canvas", "50x40", "--offset", "15,5")
    after = read(out)
    assert after.shape == (40, 50, 3)
    np.testing.assert_array_equal(after[5:25, 15:45], read(photo))
    assert (after[:5] == RED).all()
    assert "100.00 %" in capsys.readouterr().out


def test_the_photo_is_centred_on_a_canvas_by_default(tmp_path, photo):
    run_red(photo, "red", "-o", tmp_path / "out.png", "--canvas", "40x40")
    np.testing.assert_array_equal(read(tmp_path / "out.png")[10:30, 5:35], read(photo))


def test_a_mask_on_a_canvas_frees_more_than_the_margin(tmp_path, photo):
    mask = np.zeros((40, 40), np.uint8)
    mask[10, 5] = 255  # the photo's first pixel
    Image.fromarray(mask).save(tmp_path / "m.png")
    out = tmp_path / "out.png"
    run_red(photo, "r", "-o", out, "--canvas", "40x40", "--mask", tmp_path / "m.png")
    is_red = (read(out) == RED).all(axis=-1)
    assert is_red[10, 5]
    assert is_red.sum() == 40 * 40 - 20 * 30 + 1


def test_a_crop_comes_after_the_edit(tmp_path, photo, capsys):
    out, mask = tmp_path / "out.png", tmp_path / "e.png"
    run_red(photo, "red", "-o", out, "--crop", "2,6,10,8", "--mask-out", mask)
    np.testing.assert_array_equal(read(out)[4:], read(photo)[10:14, 2:12])
    assert (read(out)[:4] == RED).all()
    assert read(mask).shape == (8, 10)
    assert "50.00 %" in capsys.readouterr().out


def test_a_folder_goes_on_after_a_bad_photo_and_exits_with_2(tmp_path, capsys):
    photos, out = tmp_path / "photos", tmp_path / "new" / "out"
    photos.mkdir()
    write_photo(photos / "a.jpg")
    write_photo(photos / "c.png")
    (photos / "b.jpg").write_bytes((photos / "a.jpg").read_bytes()[:300])
    (photos / "notes.txt").write_text("not a photo")
    arguments = [str(photos), "red", "-o", str(out)]
    status = run_command(
        functools.partial(run, load_edit=lambda loading: paint_red), arguments
    )
    assert status == 2
    assert sorted(path.name for path in out.iterdir()) == ["a.png", "c.png"]
    errors = capsys.readouterr().err
    assert "b.jpg is damaged or cut short" in errors
    assert "1 of 3 photos" in errors
    assert "Traceback" not in errors


def test_a_folder_leaves_existing_outputs_unless_told_otherwise(tmp_path, capsys):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    out.mkdir()
    write_photo(photos / "a.png")
    (out / "a.png").write_bytes(b"mine")
    run_red(photos, "red", "-o", out)
    assert (out / "a.png").read_bytes() == b"mine"
    assert "1 of 1 outputs" in capsys.readouterr().out
    run_red(photos, "red", "-o", out, "--overwrite")
    np.testing.assert_array_equal(read(out / "a.png")[10:], read(photos / "a.png")[10:])


def test_photos_that_would_share_an_output_are_refused(tmp_path):
    write_photo(tmp_path / "a.png")
    write_photo(tmp_path / "a.jpg")
    with pytest.raises(UserError, match=r"a.jpg and .*a.png would both"):
        run_red(tmp_path, "red", "-o", tmp_path / "out")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["in.png", " ", "-o", "o.png"], "the instruction is empty"),
        (["in.png", "red"], "required: -o/--output; see tbstar-edit --help"),
        (["in.png", "red", "-o", "o.gif"], "suffix must be one of .png"),
        (["in.png", "red", "-o", "in.png"], "named twice"),
        (["in.png", "red", "-o", "o.png", "--mask-out", "in.png"], "named twice"),
        (["in.png", "red", "-o", "o.png", "--mask-out", "e.jpg"], "writes a .png"),
        (["in.png", "red", "-o", "no/o.png"], "there is no folder no"),
        (["none.png", "red", "-o", "o.png"], "none.png: No such file"),
        (["in.png", "red", "-o", "o.png", "--steps", "0"], "--steps is 0"),
        (["in.png", "red", "-o", "o.png", "--steps", "x"], "invalid int value"),
        (["in.png", "red", "-o", "o.png", "--seed", "-1"], "--seed is -1"),
        (["in.png", "red", "-o", "o.png", "--guidance", "nan"], "--guidance is nan"),
        (["in.png", "red", "-o", "o.png", "--preserve", "all"], "invalid choice"),
        (["in.png", "red", "-o", "o.png", "--crop", "1,2"], "the form X,Y,W,H"),
        (["in.png", "red", "-o", "o.png", "--crop", "0,0,99,9"], "inside the image"),
        (["in.png", "red", "-o", "o.png", "--canvas", "9x9"], "inside the canvas"),
        (["in.png", "red", "-o", "o.png", "--canvas", "30x200"], "between 1:4 and 4:1"),
        (["in.png", "red", "-o", "o.png", "--offset", "1,1"], "--canvas, which is"),
        (["in.png", "red", "-o", "o.png", "--overwrite"], "--overwrite is for folders"),
        ([".", "red", "-o", "out", "--mask", "in.png"], "--mask is for one photo"),
        (["empty", "red", "-o", "out"], "empty holds no photos"),
    ],
)
def test_mistakes_get_one_sentence_before_weights_are_loaded(
    tmp_path, photo, monkeypatch, capsys, arguments, sentence
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()

    def load(loading):
        pytest.fail("the weights were loaded")

    assert run_command(functools.partial(run, load_edit=load), arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert sentence in error


def test_help_and_errors_load_no_framework():
    code = (
        "import sys; from tbstar_jax.inference import cli; "
        "sys.argv[1:] = ['none.png', 'red', '-o', 'o.png']; "
        "status = cli.main(); assert 'jax' not in sys.modules; sys.exit(status)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert result.returncode == 2
    assert result.stderr == "error: cannot read none.png: No such file or directory\n"
