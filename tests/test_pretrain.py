"""Pretraining: the command as it is typed, its interruption, and its parts."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.command import Flags, load_base
from experiments.pretrain import pretrain_config
from tbstar_jax.checkpoint import saved_steps
from tbstar_jax.config import apply_overrides
from tbstar_jax.convert.folder import load_weights, save_weights
from tbstar_jax.data_engine.examples import make_record
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.latents import LatentSource
from tbstar_jax.input_pipeline.records import write_records
from tbstar_jax.model.presets import tiny
from tbstar_jax.model.tbstar import TBStar, abstract_variables, init_variables
from tbstar_jax.model.vae import VAE
from tbstar_jax.training.initialise import start_as_identity
from tbstar_jax.training.logging import read_events
from tbstar_jax.training.pretrain import as_bfloat16, export, pretrain
from tbstar_jax.training.reconstruction import (
    ReconstructionConfig,
    ReconstructionObjective,
    random_crops,
    reconstruction_step_tflop,
)

REPOSITORY = Path(__file__).parents[1]
RUN = Path("runs/tiny/pretrain")
NUM_BASE_RECORDS = 24

# A model of 2 blocks with 2 heads and a narrow autoencoder.
SETTINGS = (
    *(f"{phase}.model.vae.base_dim=4" for phase in ("autoencoder", "base")),
    *(f"{phase}.data.global_batch=4" for phase in ("autoencoder", "base")),
    *(f"{phase}.evaluation.num_pairs=3" for phase in ("autoencoder", "base")),
    *(f"{phase}.evaluation.num_previews=2" for phase in ("autoencoder", "base")),
    "base.evaluation.num_steps=2",
    "base.model.transformer.num_layers=2",
    "base.model.transformer.num_attention_heads=2",
    "base.model.conditioner.num_layers=1",
    "base.intervals.save=2",
    "base.intervals.log=1",
    "autoencoder.num_steps=2",
    f"num_statistics_images={NUM_BASE_RECORDS}",
)


def run(place):
    """The command in a user's shell: no virtual devices, programs compiled once."""
    environment = os.environ | {
        # Programs run for milliseconds and compile for seconds.
        "XLA_FLAGS": "--xla_backend_optimization_level=0 "
        "--xla_llvm_disable_expensive_passes=true",
        "PYTHONPATH": str(REPOSITORY),
        "JAX_COMPILATION_CACHE_DIR": str(place.parent / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    return subprocess.run(
        [
            *(sys.executable, "-m", "experiments.pretrain", "--steps=4"),
            *(f"--set={text}" for text in SETTINGS),
        ],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def write_sets(place):
    """The built sets at 64 x 64 pixels, where the command looks for them."""
    for name, count, split in (
        ("base", NUM_BASE_RECORDS, "train"),
        ("heldout", 3, "test"),
    ):
        records = [make_record(name, 0, index, (64, 64)) for index in range(count)]
        path = place / "data" / "built" / "tiny" / name
        write_records(path, name, split, records, count)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A clone with data, where the command ran once without interruption."""
    place = tmp_path_factory.mktemp("pretrain") / "whole"
    place.mkdir()
    write_sets(place)
    done = run(place)
    assert done.returncode == 0, done.stderr
    return place


def typed_config(*more):
    """What the command makes of the same flags."""
    flags = Flags(
        preset="tiny", mesh="1x1", workdir=None, num_steps=4, overrides=SETTINGS
    )
    return apply_overrides(pretrain_config(flags), (*SETTINGS, *more))


def test_the_command_writes_weights_that_stage_1_accepts(place):
    weights = load_weights(place / RUN / "weights", verify=True)
    assert weights.config.transformer.num_layers == 2
    assert set(weights.parts) == {"params", "vae", "conditioner"}
    dtypes = {str(leaf.dtype) for leaf in jax.tree.leaves(weights.parts)}
    assert dtypes == {"bfloat16"}
    same = load_base(str(place / RUN / "weights"), "tiny")
    assert same.base_identity == weights.base_identity


def test_both_phases_log_and_draw(place):
    def evaluated(phase):
        events = read_events(place / RUN / phase / "metrics.jsonl")
        (last,) = [event for event in events if event["event"] == "evaluate"]
        return last

    assert evaluated("autoencoder")["heldout/psnr"] > 0
    loss = evaluated("base")
    times = [loss[f"fixed/flow_t{t}"] for t in (0.2, 0.4, 0.6, 0.8)]
    np.testing.assert_allclose(loss["fixed/flow"], np.mean(times), rtol=1e-6)
    previews = sorted(path.name for path in (place / RUN).glob("*/previews/*"))
    assert previews == ["0000002_round_trip.png", "0000004_captions.png"]


def test_encoded_targets_are_normalised_and_those_of_the_exported_weights(place):
    (directory,) = (place / RUN / "latents").iterdir()
    name = json.loads((directory / "manifest.json").read_text())["preprocessing_hash"]
    source = LatentSource(directory, "train", name)
    pairs = [source[row] for row in range(len(source))]
    latents = {key: arrays["target_latent"] for key, arrays in pairs}
    assert len(latents) == NUM_BASE_RECORDS
    cells = np.concatenate([x.reshape(-1, 16) for x in latents.values()])
    np.testing.assert_allclose(cells.mean(0, dtype=np.float64), 0, atol=1e-3)
    np.testing.assert_allclose(cells.std(0, dtype=np.float64), 1, atol=1e-3)


def test_a_killed_run_goes_on_in_its_phase_to_the_same_weights(place):
    """What a kill while step 4 was being saved leaves: step 2, and half a step 4."""
    killed = place.parent / "killed"
    shutil.copytree(place, killed)
    shutil.rmtree(killed / RUN / "weights")
    checkpoints = killed / RUN / "base" / "checkpoints"
    assert saved_steps(checkpoints) == [2, 4]
    (checkpoints / "4").rename(checkpoints / "4.orbax-checkpoint-tmp-1")
    done = run(killed)
    assert done.returncode == 0, done.stderr

    def begun(phase):
        events = read_events(killed / RUN / phase / "metrics.jsonl")
        return [event["step"] for event in events if event["event"] == "start"]

    # The complete phase is not started again.
    assert begun("autoencoder") == [0]
    assert begun("base") == [0, 2]
    whole = load_weights(place / RUN / "weights")
    resumed = load_weights(killed / RUN / "weights")
    assert resumed.identities == whole.identities
    assert resumed.config == whole.config


def test_a_complete_run_says_so_and_only_writes_the_weights(place, monkeypatch, caplog):
    monkeypatch.chdir(place)
    caplog.set_level("INFO")
    before = load_weights(RUN / "weights")
    shutil.rmtree(RUN / "weights")
    shutil.rmtree(RUN / "latents")
    weights = pretrain(typed_config(), show_progress=False)
    assert "both phases are complete" in caplog.text
    assert weights.identities == before.identities
    assert not (RUN / "latents").exists()


def test_a_complete_phase_under_other_settings_is_refused(place, monkeypatch):
    monkeypatch.chdir(place)
    config = typed_config("autoencoder.optimizer.clip_norm=0.5")
    with pytest.raises(UserError, match=r"clip_norm is 0\.5, but the checkpoint"):
        pretrain(config, show_progress=False)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("base.stage=stage1", "they must be autoencoder and pretrain"),
        ("base.mesh=2x1", "set both with --mesh"),
        ("base.model.vae.base_dim=8", "autoencoder.model.vae and base.model.vae"),
        ('base.trainable_rules=[["x", true]]', "trainable_rules would leave"),
        ("num_statistics_images=0", "num_statistics_images is 0"),
        ("autoencoder.reconstruction.crop_size=0", "crop_size is 0"),
    ],
)
def test_contradictions_are_one_sentence(setting, sentence):
    flags = Flags(preset="tiny", mesh="1x1", workdir=None, num_steps=None, overrides=())
    with pytest.raises(UserError, match=sentence):
        apply_overrides(pretrain_config(flags), [setting])


def test_the_learning_rate_of_the_autoencoder_follows_its_number_of_steps():
    phase = typed_config().autoencoder.phase1
    assert phase.num_constant_steps == 0
    assert phase.num_warmup_steps + phase.num_cosine_steps == 2


def small_parts(value):
    """Enough of a base for a folder: the transformer's tree must be whole."""
    config = tiny()
    shapes = jax.eval_shape(
        lambda: {
            "params": init_variables(TBStar(config), jax.random.key(0))["params"],
            "vae": VAE(config.vae).init(jax.random.key(0), jnp.zeros((1, 16, 16, 3)))[
                "params"
            ],
        }
    )
    parts = jax.tree.map(lambda leaf: np.full(leaf.shape, value, np.float32), shapes)
    return config, as_bfloat16({**parts, "conditioner": {"x": np.ones(2, np.float32)}})


def test_an_export_keeps_stage_modules_of_the_same_base_only(tmp_path):
    config, parts = small_parts(1.0)
    export(tmp_path / "weights", config, parts)
    stage = {"pattern_shifting": {"y": np.ones(3, np.float32)}}
    save_weights(tmp_path / "weights", config, stage)
    assert "pattern_shifting" in export(tmp_path / "weights", config, parts).parts
    parts["conditioner"]["x"] = parts["conditioner"]["x"] + 1
    weights = export(tmp_path / "weights", config, parts)
    assert set(weights.parts) == {"params", "vae", "conditioner"}
    assert not (tmp_path / "weights" / "pattern_shifting").exists()


def test_an_export_does_not_replace_what_is_no_weights_folder(tmp_path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "mine.txt").write_text("keep")
    config, parts = small_parts(1.0)
    with pytest.raises(UserError, match="is no weights folder; move it away"):
        export(tmp_path / "weights", config, parts)
    assert (tmp_path / "weights" / "mine.txt").read_text() == "keep"


def test_a_base_starts_with_velocity_zero():
    config = tiny()
    transformer = dataclasses.replace(config.transformer, num_layers=1)
    model = TBStar(dataclasses.replace(config, transformer=transformer))

    rng = np.random.default_rng(0)
    drawn = jax.tree.map(
        lambda leaf: rng.normal(size=leaf.shape).astype(np.float32),
        abstract_variables(model)["params"],
    )
    # As at random initialisation, biases are 0.
    drawn["proj_out"]["bias"] *= 0

    @jax.jit
    def velocity(params, tokens):
        time, length = jnp.full((1,), 0.5), jnp.ones((1,), jnp.int32)
        context = jnp.ones((1, 1, 160))
        return model.apply(
            {"params": params}, tokens, time, context, length, target_grid=(2, 2)
        ).velocity

    tokens = rng.normal(size=(1, 4, 64)).astype(np.float32)
    assert np.abs(velocity(drawn, tokens)).mean() > 0.1
    started = start_as_identity(jax.tree.map(jnp.asarray, drawn))
    np.testing.assert_array_equal(velocity(started, tokens), np.zeros((1, 4, 64)))


def test_crops_are_places_of_their_image_that_follow_from_the_key():
    rows, columns = np.mgrid[:24, :40].astype(np.uint8)
    images = np.stack([np.stack([rows, columns, 0 * rows + b], -1) for b in range(8)])
    images = jnp.asarray(images)
    crops = np.asarray(random_crops(images, 16, jax.random.key(0)))
    tops, lefts = crops[:, 0, 0, 0], crops[:, 0, 0, 1]
    for b in range(8):
        expected = images[b, tops[b] : tops[b] + 16, lefts[b] : lefts[b] + 16]
        np.testing.assert_array_equal(crops[b], expected)
    assert len(set(zip(tops.tolist(), lefts.tolist(), strict=True))) > 4
    again = random_crops(images, 16, jax.random.key(0))
    np.testing.assert_array_equal(crops, again)


def test_crops_that_do_not_fit_are_refused():
    images = jnp.zeros((1, 24, 40, 3), jnp.uint8)
    with pytest.raises(UserError, match="32 pixels a side, but an image has 40x24"):
        random_crops(images, 32, jax.random.key(0))
    with pytest.raises(UserError, match="must be a multiple of the 8 pixels"):
        ReconstructionObjective(
            tiny().vae, ReconstructionConfig(crop_size=20), dtype=jnp.float32
        )


def test_the_cost_of_a_step_is_three_times_the_counted_forward_pass():
    config = tiny().vae
    vae = VAE(config)
    image = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    params = jax.eval_shape(lambda: vae.init(jax.random.key(0), jnp.zeros(image.shape)))
    counted = jax.jit(vae.apply).lower(params, image).cost_analysis()["flops"]
    formula = reconstruction_step_tflop(config, 2, 64) * 1e12
    # Norms, activations and attention are not in the formula.
    np.testing.assert_allclose(formula, 2 * 3 * counted, rtol=0.1)
