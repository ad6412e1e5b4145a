"""`python -m data.build --stage=...`: from a folder of photos to training batches."""

import functools
import hashlib
import json

import numpy as np
import pytest
from PIL import Image
from skimage import data as photos

from data import build, export, trial
from tbstar_jax.config import apply_overrides
from tbstar_jax.data_engine.store.index import read_index
from tbstar_jax.data_engine.store.mix import mixture_entries
from tbstar_jax.errors import UserError, run_command
from tbstar_jax.inference.text_to_image import DrawnImage, TextToImage
from tbstar_jax.input_pipeline.images import decode_image, decode_mask
from tbstar_jax.input_pipeline.mixtures import MixtureEntry, open_mixture
from tbstar_jax.input_pipeline.pipeline import PipelineConfig, build_pipeline
from tbstar_jax.input_pipeline.records import RecordSource
from tbstar_jax.input_pipeline.transforms import TransformConfig
from tbstar_jax.model.conditioner.byte import tokenize
from tbstar_jax.model.presets import tiny

SETTINGS = (
    "construct.num_records=15",
    "collect.max_pixels=16384",
    "construct.size=64",
    "construct.records_per_shard=8",
    "mix.test_share=0.2",
)


def shrunk(photo, side=160):
    image = Image.fromarray(photo)
    image.thumbnail((side, side))
    return image


def command(out, stage, *flags, settings=SETTINGS):
    build.main(
        [
            f"--stage={stage}",
            f"--out={out}",
            "--workers=1",
            *flags,
            *(f"--set={setting}" for setting in settings),
        ]
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four photos, one of them twice, one too small, and one that is none."""
    folder = tmp_path_factory.mktemp("photos")
    for name in ("astronaut", "coffee", "chelsea", "rocket"):
        shrunk(getattr(photos, name)()).save(folder / f"{name}.png")
    shrunk(photos.coffee()).save(folder / "coffee_again.jpg", quality=95)
    shrunk(photos.hubble_deep_field(), 40).save(folder / "thumbnail.png")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return folder


@pytest.fixture(scope="module")
def shop(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "shop"
    command(out, "all", f"--source={folder}", "--licence=CC0-1.0")
    return out


def statuses(directory):
    table = read_index(directory)
    return dict(zip(table["key"].to_pylist(), table["status"].to_pylist(), strict=True))


def content(directory):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.glob("*.array_record-*")
    }


def test_photos_are_collected_and_doubtful_ones_named(shop):
    found = sorted(statuses(shop / "collected" / "photos").values())
    assert found == [*["kept"] * 4, "rejected:duplicate", "rejected:small"]
    text = (shop / "collected" / "read-photos" / "rejects.jsonl").read_text()
    (reject,) = text.splitlines()
    assert json.loads(reject)["row"] == "broken.png"


@pytest.mark.parametrize("name", ["overlay", "expert", "studio", "layout"])
def test_every_method_makes_pairs_that_are_measured(shop, name):
    table = read_index(shop / "filtered" / name)
    assert len(table) >= 4
    assert "score.filter/lossless" in table.column_names
    kept = [status == "kept" for status in table["status"].to_pylist()]
    assert np.mean(kept) >= 0.6
    assert (shop / "reports" / f"filtered-{name}.html").is_file()


def test_augmenting_makes_more_pairs_with_scores_of_their_own(shop):
    before = read_index(shop / "filtered" / "studio")
    after = read_index(shop / "augmented" / "studio")
    assert len(after) > 1.5 * len(before)
    assert "inverse" in after["transform"].to_pylist()
    scores = after["score.filter/lossless"].to_pylist()
    assert all(score is not None for score in scores)


def test_the_strict_mixture_keeps_every_pixel_outside_the_mask(shop):
    num_pairs = 0
    for source in open_mixture(mixture_entries(shop / "mixtures/stage2.json"), "train"):
        for row in range(len(source)):
            record = source[row]
            before = decode_image(record.source_images[0])
            after = decode_image(record.target_image)
            differs = np.any(before != after, axis=2)
            assert not differs[decode_mask(record.change_mask) == 0].any(), record.key
            assert record.instructions_en
            assert record.instructions_zh
            num_pairs += 1
    assert num_pairs > 30


def test_no_scene_is_trained_on_and_held_out(shop):
    held_out = set(read_index(shop / "heldout")["scene"].to_pylist())
    assert held_out
    for name in ("stage1", "stage2"):
        entries = mixture_entries(shop / "mixtures" / f"{name}.json")
        for source in open_mixture(entries, "train"):
            scenes = {source[row].scene for row in range(len(source))}
            assert not scenes & held_out


def test_licences_decide_what_is_mixed(shop, folder, tmp_path, capsys):
    """Photos under a licence that forbids commercial use leave; drawn pairs stay."""
    out = tmp_path / "shop"
    settings = (*SETTINGS[:-1], "construct.methods=overlay", "mix.test_share=0")
    source = f"--source={folder}"
    for stage, flags in (
        ("collect", [source, "--licence=CC-BY-NC-4.0"]),
        ("construct", []),
        ("filter", []),
        ("mix", []),
    ):
        command(out, stage, *flags, settings=settings)
    assert (out / "mixtures/stage2.json").is_file()
    free = (*settings, "mix.is_commercial_only=true")
    with pytest.raises(UserError, match="no record of 1 sets is in the mixture"):
        command(out, "mix", settings=free)
    assert not (out / "mixtures/stage2.json").exists()


def test_a_mixture_is_a_setting_of_training(shop):
    mixtures = shop / "mixtures"
    config = PipelineConfig(
        mixture=(MixtureEntry(path="x"),),
        transform=TransformConfig(
            max_tokens=96, pixel_budget=128 * 128, is_mask_required=True
        ),
        seed=0,
        global_batch=2,
    )
    for name in ("stage1", "stage2"):
        text = (mixtures / f"{name}.setting.json").read_text()
        changed = apply_overrides(config, [f"mixture={text}"])
        assert changed.mixture == mixture_entries(mixtures / f"{name}.json")


def test_training_reads_a_mixture(shop):
    config = PipelineConfig(
        mixture=mixture_entries(shop / "mixtures/stage1.json"),
        transform=TransformConfig(
            max_tokens=96, pixel_budget=128 * 128, is_mask_required=True
        ),
        seed=0,
        global_batch=2,
    )
    tokenizer = functools.partial(tokenize, config=tiny().byte_conditioner)
    sources = open_mixture(config.mixture, "train")
    with build_pipeline(
        config, sources, tokenizer, process_index=0, process_count=1
    ) as batches:
        batch = next(batches)
    assert batch["target_image"].shape[:2] == (1, 2)


def test_a_second_run_makes_nothing_again(shop, folder, capsys):
    before = {path: content(path) for path in shop.glob("*/*")}
    capsys.readouterr()
    command(shop, "all", f"--source={folder}", "--licence=CC0-1.0")
    lines = capsys.readouterr().out.splitlines()
    # One line per set; the fourth column is what it took.
    sets = [
        line.split() for line in lines if line.count("/") == 1 and "json" not in line
    ]
    assert len(sets) == 15
    assert {line[3] for line in sets} == {"kept"}
    assert {path: content(path) for path in shop.glob("*/*")} == before


def test_other_limits_decide_again_without_touching_a_shard(shop, folder):
    directory = shop / "filtered" / "studio"
    before, shards = statuses(directory), content(directory)
    command(
        shop,
        "filter",
        settings=(*SETTINGS, "filter.profile.limits.max_changed_share=0.0"),
    )
    changed = statuses(directory)
    assert "flagged:widespread" in changed.values()
    assert content(directory) == shards
    command(shop, "filter")
    assert statuses(directory) == before


def test_another_seed_does_not_replace_a_finished_set_unasked(shop, capsys):
    with pytest.raises(Exception, match="--rebuild"):
        command(shop, "construct", "--seed=1")


def test_a_photo_set_is_no_training_set(shop):
    with pytest.raises(Exception, match="photos"):
        RecordSource(shop / "collected" / "photos", "train")


def test_cutouts_keep_their_product_and_models_of_ours_edit_and_draw(
    tmp_path, monkeypatch
):
    def draw(self, caption, *, size, seed):
        # The shipped base takes no prompt as long as this one.
        assert len(caption.encode()) > 94
        half = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8)
        twice = np.tile(half, (size[0] // 64, size[1] // 64, 1))
        return DrawnImage(twice, np.zeros((1, 64), np.float32))

    monkeypatch.setattr(TextToImage, "__call__", draw)
    cutout = np.zeros((96, 96, 4), np.uint8)
    cutout[20:80, 30:70] = (200, 40, 30, 255)
    (tmp_path / "photos").mkdir()
    Image.fromarray(cutout).save(tmp_path / "photos" / "box.png")
    settings = (
        *SETTINGS[1:],
        "construct.num_records=1",
        "collect.keeps_alpha=true",
        "construct.methods=cutout,in_context,expert",
        "construct.drawing_model=shipped",
        "construct.expert.editor=shipped",
        "construct.expert.is_classical=false",
    )
    out = tmp_path / "shop"
    command(out, "collect", f"--source={tmp_path / 'photos'}", settings=settings)
    command(out, "construct", settings=settings)
    cutouts = RecordSource(out / "constructed" / "cutout", "train")
    assert len(cutouts) == 2
    for row in range(2):
        source = decode_image(cutouts[row].source_images[0])
        # The product's own colour is in every picture, untouched.
        assert (source == (200, 40, 30)).all(axis=2).sum() > 500
    (drawn,) = statuses(out / "constructed" / "in_context").values()
    assert drawn == "rejected:unchanged"
    edited = min(statuses(out / "constructed" / "expert"))
    notes = RecordSource(out / "constructed" / "expert", "train")[0].provenance
    assert (edited, notes["expert"]) == (notes["parents"][0] + "-expert0", "editor")


@pytest.mark.parametrize("what", ["records", "mixture"])
def test_pairs_leave_for_another_trainer(shop, tmp_path, what, capsys):
    place = {
        "records": shop / "filtered" / "studio",
        "mixture": shop / "mixtures" / "stage2.json",
    }[what]
    export.main(
        [f"--{what}={place}", "--layout=diffsynth", f"--out={tmp_path / 'pairs'}"]
    )
    lines = (tmp_path / "pairs" / "metadata.jsonl").read_text().splitlines()
    assert capsys.readouterr().out.startswith(f"{len(lines)} pairs")
    first = json.loads(lines[0])
    assert (tmp_path / "pairs" / first["image"]).is_file()
    assert (tmp_path / "pairs" / first["edit_image"]).is_file()


def test_the_trial_prints_what_the_filter_catches(capsys):
    trial.main(["--pairs=2", "--side=128"])
    printed = capsys.readouterr().out
    assert "| shift 2 px | 2 | 100.0 % | 100.0 % |" in printed
    assert "false alarms: " in printed


@pytest.mark.parametrize(
    ("command", "flags", "sentence"),
    [
        (
            export.main,
            ["--layout=musubi", "--out=y"],
            "one of the arguments --records --mixture is required",
        ),
        (export.main, ["--records=x", "--layout=lora", "--out=y"], "invalid choice"),
        (
            export.main,
            ["--mixture=x.json", "--layout=musubi", "--out=y"],
            "x.json is not a mixture",
        ),
        (trial.main, ["--pairs=0"], "--pairs is 0"),
        (trial.main, ["--side=5000"], "no photograph is larger than 5032"),
    ],
)
def test_a_mistake_is_one_sentence(
    command, flags, sentence, capsys, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    assert run_command(command, flags) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert sentence in error
    assert error.count("\n") == 1
