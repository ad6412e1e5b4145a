"""Stage 1 on a public checkpoint: everything of Qwen2.5-VL is encoded ahead."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from data import build
from experiments import stage1
from tbstar_jax.convert.public import load_base
from tbstar_jax.errors import run_command
from tbstar_jax.inference.qwen_reader import QwenReader
from tbstar_jax.input_pipeline.images import decode_image
from tbstar_jax.input_pipeline.records import RecordSource
from tbstar_jax.model.conditioner.qwen25_processor import PromptProcessor
from tbstar_jax.model.presets import preset
from tbstar_jax.training.logging import read_events
from tbstar_jax.training.precompute import open_latents
from tests.support import qwen_vl, reduced
from tests.support.public_checkpoint import write_checkpoint

PRESET = "qwen-image"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Qwen-Image, small and random, as its authors publish it."""
    directory = tmp_path_factory.mktemp("public") / "checkpoint"
    write_checkpoint(directory, "QwenImagePipeline", zero_cond_t=False)
    qwen_vl.tokenizer().save_pretrained(directory / "tokenizer")
    return directory


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    return reduced.write_sets(
        tmp_path_factory.mktemp("sets"), {"stage1": 16, "heldout": 2}
    )


@pytest.fixture(scope="module")
def encoded(checkpoint, sets):
    for name in ("stage1", "heldout"):
        build.main(
            [
                "--stage=precompute",
                f"--records={sets / name}",
                f"--base={checkpoint}",
                f"--preset={PRESET}",
                "--dtype=float32",
            ]
        )
    return sets


def flags(checkpoint, sets, workdir, *settings):
    mixture = {"path": str(sets / "stage1"), "weight": 1.0}
    if settings:
        mixture["latents"] = str(sets / "stage1-latents")
    texts = (
        f"base={checkpoint}",
        f"data.mixture={json.dumps([mixture])}",
        "data.global_batch=4",
        f"evaluation.path={sets / 'heldout'}",
        "evaluation.num_pairs=2",
        "evaluation.num_previews=1",
        "evaluation.num_steps=2",
        "intervals.log=1",
        *settings,
    )
    return [
        f"--preset={PRESET}",
        f"--workdir={workdir}",
        "--steps=2",
        *(f"--set={text}" for text in texts),
    ]


def test_contexts_are_those_of_an_edit(checkpoint, encoded):
    base = load_base(checkpoint, preset(PRESET))
    latents = open_latents(
        encoded / "stage1-latents", "train", base.config, base.identities, checkpoint
    )
    record = RecordSource(encoded / "stage1", "train")[0]
    (row,) = latents.rows_of([record.key])
    _, arrays = latents[row]
    processor = PromptProcessor.from_folder(checkpoint, base.config.conditioner)
    read = QwenReader(processor, dtype=jnp.bfloat16)
    context, dropped = read(
        base.parts["conditioner"],
        record.instructions_zh[0],
        [decode_image(record.source_images[0])],
        is_guided=True,
    )
    for name, expected in (("context_zh_0", context), ("context_dropped", dropped)):
        values = np.asarray(expected.values[0, : expected.num_tokens[0]], np.float32)
        # bfloat16 in batches of other sizes: 2e-2 is the bar of its parity, too.
        error = np.linalg.norm(arrays[name] - values) / np.linalg.norm(values)
        assert error < 2e-2, name


def test_stage_1_trains_without_a_conditioner_in_memory(checkpoint, encoded, tmp_path):
    latents = f"evaluation.latents={encoded / 'heldout-latents'}"
    argv = flags(checkpoint, encoded, tmp_path, latents)
    assert run_command(stage1.main, argv) == 0
    losses = reduced.losses(tmp_path)
    assert list(losses) == [1, 2]
    assert all(np.isfinite(value) for value in losses.values())
    events = read_events(tmp_path / "metrics.jsonl")
    (scores,) = [event for event in events if event["event"] == "evaluate"]
    assert scores["heldout/num_images"] == 2


def test_without_contexts_the_command_says_how_to_make_them(
    checkpoint, sets, tmp_path, capsys
):
    assert run_command(stage1.main, flags(checkpoint, sets, tmp_path)) == 2
    error = capsys.readouterr().err
    assert "is Qwen2.5-VL, which does not run while training" in error
    assert "data.build --stage=precompute" in error


def test_another_tokenizer_is_refused(checkpoint, encoded, tmp_path, capsys):
    file = checkpoint / "tokenizer" / "tokenizer_config.json"
    before = file.read_text()
    file.write_text(before.replace("{", '{"note": 1, ', 1))
    latents = f"evaluation.latents={encoded / 'heldout-latents'}"
    try:
        assert (
            run_command(stage1.main, flags(checkpoint, encoded, tmp_path, latents)) == 2
        )
    finally:
        file.write_text(before)
    assert "were made with preprocessing" in capsys.readouterr().err
