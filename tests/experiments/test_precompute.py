"""`python -m data.build --stage=precompute`, and training on what it writes."""

import json

import numpy as np
import pytest

from data import build
from experiments import stage1
from experiments.evaluate import make_evaluate
from tbstar_jax.convert.folder import load_weights, save_weights
from tbstar_jax.errors import UserError, run_command
from tbstar_jax.input_pipeline.records import RecordSource
from tbstar_jax.training.logging import read_events
from tbstar_jax.training.precompute import open_latents
from tests.support import reduced


def precompute(place, name, *flags):
    records = place.data / name
    base = f"--base={place.base}"
    build.main(["--stage=precompute", f"--records={records}", base, *flags])
    return place.data / f"{name}-latents"


@pytest.fixture(scope="module")
def encoded(place):
    """Sets encoded ahead, in float32: what training computes itself."""
    names = ("stage1", "heldout")
    return {name: precompute(place, name, "--dtype=float32") for name in names}


def train(place, workdir, *settings):
    mixture = [{"path": str(place.data / "stage1"), "weight": 1.0}]
    if settings:
        mixture[0]["latents"] = settings[0]
    flags = [
        f"--workdir={workdir}",
        "--steps=3",
        f"--set=data.mixture={json.dumps(mixture)}",
        f"--set=evaluation.path={place.data / 'heldout'}",
        *(f"--set=evaluation.latents={path}" for path in settings[1:]),
        *(f"--set={text}" for text in reduced.overrides(place)),
    ]
    return run_command(stage1.main, flags)


def scores(workdir):
    (event,) = [
        event
        for event in read_events(workdir / "metrics.jsonl")
        if event["event"] == "evaluate"
    ]
    return {k: v for k, v in event.items() if k.startswith("heldout/")}


@pytest.fixture(scope="module")
def computed(place, tmp_path_factory):
    """Three steps that encode as they go."""
    workdir = tmp_path_factory.mktemp("computed")
    assert train(place, workdir) == 0
    return workdir


def test_every_record_has_latents_and_the_context_of_every_text(place, encoded):
    weights = load_weights(place.base)
    source = RecordSource(place.data / "stage1", "train")
    latents = open_latents(
        encoded["stage1"], "train", weights.config, weights.identities, place.base
    )
    assert len(latents) == len(source) == 40
    width = weights.config.conditioner.width
    for record in map(source.__getitem__, range(40)):
        (row,) = latents.rows_of([record.key])
        key, arrays = latents[row]
        assert key == record.key
        texts = {"context_dropped": ""}
        texts |= {f"context_en_{i}": t for i, t in enumerate(record.instructions_en)}
        texts |= {f"context_zh_{i}": t for i, t in enumerate(record.instructions_zh)}
        assert arrays.keys() == {"target_latent", "source_latent_1", *texts}
        assert arrays["target_latent"].shape == (8, 8, 16)
        for name, text in texts.items():
            # Begin, the bytes and end; then the thumbnail's 16 patches.
            assert arrays[name].shape == (len(text.encode()) + 2 + 16, width), name


def test_training_on_them_is_the_same_without_a_conditioner(
    place, encoded, computed, tmp_path, monkeypatch
):
    loaded = []

    def recorded(config, frozen, mesh, latents):
        loaded.append(set(frozen))
        return make_evaluate(config, frozen, mesh, latents)

    monkeypatch.setattr("experiments.command.make_evaluate", recorded)
    assert train(place, tmp_path, str(encoded["stage1"]), str(encoded["heldout"])) == 0
    expected = reduced.losses(computed)
    assert reduced.losses(tmp_path) == pytest.approx(expected, rel=1e-5)
    assert scores(tmp_path) == pytest.approx(scores(computed), abs=1e-3)
    assert loaded == [{"params", "vae"}]


def test_without_encoded_held_out_pairs_the_conditioner_stays(
    place, encoded, computed, tmp_path
):
    assert train(place, tmp_path, str(encoded["stage1"])) == 0
    assert reduced.losses(tmp_path) == pytest.approx(reduced.losses(computed), rel=1e-5)


def test_other_weights_are_refused(place, encoded, tmp_path):
    weights = load_weights(place.base)
    vae = dict(weights.parts["vae"])
    vae["quant_conv"] = {
        "conv": {k: np.array(v) + 1 for k, v in vae["quant_conv"]["conv"].items()}
    }
    other = save_weights(tmp_path, weights.config, {**weights.parts, "vae": vae})
    with pytest.raises(UserError, match=r"were made with preprocessing .* again"):
        open_latents(
            encoded["stage1"], "train", other.config, other.identities, tmp_path
        )


def test_a_set_that_is_no_set_of_latents_is_refused(place, tmp_path, capsys):
    assert train(place, tmp_path, str(place.data / "stage1")) == 2
    assert "stage1 is not a set of latents" in capsys.readouterr().err


def test_encoded_held_out_pairs_alone_have_no_effect(place, encoded, tmp_path, capsys):
    flags = [
        f"--workdir={tmp_path}",
        f"--set=evaluation.latents={encoded['heldout']}",
        *(f"--set={text}" for text in reduced.overrides(place)),
    ]
    assert run_command(stage1.main, flags) == 2
    assert "latents are named in stage1, where they have no" in capsys.readouterr().err


def test_a_finished_set_is_not_overwritten(place, encoded):
    with pytest.raises(UserError, match="stage1-latents"):
        precompute(place, "stage1")
