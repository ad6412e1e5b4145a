"""The command `python -m experiments.export`, on runs of the reduced model."""

import json

import jax
import jax.numpy as jnp
import pytest

from experiments import export
from tbstar_jax.checkpoint import Checkpoints
from tbstar_jax.config import to_dict
from tbstar_jax.convert.folder import BASE_PARTS, load_weights, save_weights
from tbstar_jax.errors import UserError, run_command
from tbstar_jax.inference.pipeline import EditPipeline
from tbstar_jax.model.tbstar import TBStar, abstract_variables
from tbstar_jax.training.initialise import CHECKPOINTS
from tests.support import reduced
from tests.support.drawn_weights import draw_parts


def _write_base(directory, seed):
    model = reduced.reduced_model()
    parts = draw_parts(model, seed)
    save_weights(directory, model, {name: parts[name] for name in BASE_PARTS})
    return directory


def _save_run(place, workdir, stage, part, tree, first_step, last_step):
    """A checkpoint as `training.run` writes it, as far as an export reads it."""
    previous = (f"previous={workdir.parent / 'stage1'}",) if stage == "stage2" else ()
    config = reduced.stage_config(stage, place, workdir, *previous)
    metadata = {
        "stage": stage,
        "preset": "tiny",
        "base_identity": load_weights(place.base).base_identity,
        "first_step": first_step,
        "config": to_dict(config),
    }
    state = {
        "ema": {part: tree},
        "trainable": {part: jax.tree.map(jnp.zeros_like, tree)},
    }
    directory = workdir / CHECKPOINTS
    with Checkpoints(directory, save_every=1, keep_latest=1) as checkpoints:
        checkpoints.save(last_step, state, {}, metadata)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Runs of both stages: 3 and 2 steps; and their moving averages."""
    root = tmp_path_factory.mktemp("export")
    place = reduced.Place(root, _write_base(root / "base", seed=0), root / "data")
    model = reduced.stage_config("stage1", place, root / "stage1").model
    parts = abstract_variables(TBStar(model))
    average = {
        part: jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.1), parts[part])
        for part in ("pattern_shifting", "consistency")
    }
    runs = root / "runs"
    _save_run(
        place,
        runs / "stage1",
        "stage1",
        "pattern_shifting",
        average["pattern_shifting"],
        0,
        3,
    )
    _save_run(
        place, runs / "stage2", "stage2", "consistency", average["consistency"], 3, 5
    )
    return place, runs, average


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    _, runs, _ = trained
    out = tmp_path_factory.mktemp("weights") / "out"
    for stage in ("stage1", "stage2"):
        argv = [f"--workdir={runs / stage}", f"--out={out}"]
        assert run_command(export.main, argv) == 0
    return out


def test_the_export_is_the_moving_average_in_bfloat16(trained, exported):
    _, _, average = trained
    expected = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), average)
    parts = load_weights(exported, verify=True).parts
    assert parts.keys() == {*BASE_PARTS, *expected}
    for part, tree in expected.items():
        reduced.assert_identical(tree, parts[part])


def test_the_base_is_copied_in_its_own_dtype(trained, exported):
    place, _, _ = trained
    base, out = load_weights(place.base), load_weights(exported)
    assert out.base_identity == base.base_identity
    reduced.assert_identical(base.parts["params"], out.parts["params"])


def test_the_folder_says_how_many_steps_each_stage_was_trained(exported):
    assert export.training_steps(exported) == {"pattern_shifting": 3, "consistency": 2}


def test_the_pipeline_opens_the_export(exported):
    EditPipeline.from_checkpoint(exported)


def test_a_folder_of_another_base_is_refused(trained, tmp_path, capsys):
    _, runs, _ = trained
    other = _write_base(tmp_path / "other", seed=1)
    before = sorted(other.rglob("*"))
    argv = [f"--workdir={runs / 'stage1'}", f"--out={other}"]
    assert run_command(export.main, argv) == 2
    assert "was trained on the base" in capsys.readouterr().err
    assert sorted(other.rglob("*")) == before


def test_stage2_without_its_stage1_is_refused(trained, tmp_path):
    _, runs, _ = trained
    with pytest.raises(UserError, match="has no stage-1 modules"):
        export.export_stage(runs / "stage2", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_stage2_on_a_stage1_of_another_length_is_refused(trained, tmp_path):
    _, runs, _ = trained
    out = tmp_path / "out"
    export.export_stage(runs / "stage1", out)
    export.record_training(out, {"pattern_shifting": 7})
    with pytest.raises(UserError, match=r"other stage-1 modules \(7 steps\)"):
        export.export_stage(runs / "stage2", out)


def test_stage2_on_a_stage1_of_other_attention_is_refused(trained, tmp_path):
    _, runs, _ = trained
    out = tmp_path / "out"
    export.export_stage(runs / "stage1", out)
    config = json.loads((out / "tbstar_config.json").read_text())
    config["transformer"]["source_attention"] = "full"
    (out / "tbstar_config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"attend full at time zero, but .* cached"):
        export.export_stage(runs / "stage2", out)


def test_stage1_under_an_exported_stage2_is_refused(trained, exported):
    _, runs, _ = trained
    with pytest.raises(UserError, match="holds stage-2 modules"):
        export.export_stage(runs / "stage1", exported)


def test_a_run_that_diffusers_could_not_follow_is_no_lora(trained, tmp_path, capsys):
    _, runs, _ = trained
    out = tmp_path / "out.safetensors"
    argv = [f"--workdir={runs / 'stage1'}", f"--out={out}", "--lora=diffusers"]
    assert run_command(export.main, argv) == 2
    error = capsys.readouterr().err
    assert "its sources attend cached" in error
    assert "it has a source embedding" in error
    assert "--set model.compatible=diffusers" in error
    assert not out.exists()


def test_stage2_is_no_lora(trained, tmp_path):
    _, runs, _ = trained
    with pytest.raises(UserError, match="a source branch and a keep gate"):
        export.export_lora(runs / "stage2", tmp_path / "out.safetensors", "comfyui")


def test_a_lora_is_a_file(trained, tmp_path):
    _, runs, _ = trained
    with pytest.raises(UserError, match=r"writes a \.safetensors file"):
        export.export_lora(runs / "stage1", tmp_path / "out", "diffusers")


def test_a_run_without_checkpoints_is_one_sentence(tmp_path, capsys):
    argv = [f"--workdir={tmp_path}", f"--out={tmp_path / 'out'}"]
    assert run_command(export.main, argv) == 2
    assert "there is no complete checkpoint" in capsys.readouterr().err


def test_a_damaged_record_of_steps_is_refused(tmp_path):
    (tmp_path / export.TRAINING_FILE).write_text(json.dumps({"params": 3}))
    with pytest.raises(UserError, match="cannot be read"):
        export.training_steps(tmp_path)
