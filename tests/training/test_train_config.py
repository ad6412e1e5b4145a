"""Cross-field checks of a run's configuration."""

import dataclasses
from pathlib import Path

import pytest

from tbstar_jax.config import apply_overrides, from_json, to_json
from tbstar_jax.diffusion.loss import ConsistencyLossConfig
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.mixtures import MixtureEntry
from tbstar_jax.input_pipeline.pipeline import PipelineConfig
from tbstar_jax.input_pipeline.transforms import TransformConfig
from tbstar_jax.model.presets import tiny
from tbstar_jax.training.optimizer import OptimizerConfig, PhaseSchedule
from tbstar_jax.training.train_config import (
    BenchmarkConfig,
    EvaluationConfig,
    IntervalConfig,
    TrainConfig,
)

PHASE = PhaseSchedule(
    peak=1e-3,
    floor=1e-4,
    num_warmup_steps=10,
    num_constant_steps=100,
    num_cosine_steps=100,
)


def make_config(**changes):
    config = {
        "stage": "stage1",
        "preset": "tiny",
        "model": tiny(),
        "mesh": "4x2",
        "workdir": Path("runs/tiny/stage1"),
        "num_steps": 50,
        "seed": 0,
        "compute_dtype": "float32",
        "base": "shipped",
        "previous": None,
        "data": PipelineConfig(
            mixture=(MixtureEntry(path="data/built/tiny/stage1"),),
            transform=TransformConfig(
                max_tokens=96, pixel_budget=128 * 128, is_mask_required=True
            ),
            seed=0,
            global_batch=16,
            num_microbatches=2,
        ),
        "evaluation": EvaluationConfig(path=Path("data/built/tiny/heldout")),
        "intervals": IntervalConfig(),
        "optimizer": OptimizerConfig(),
        "phase1": PHASE,
        "phase2": PHASE,
        "loss": ConsistencyLossConfig(),
    }
    return TrainConfig(**(config | changes))


def test_the_config_survives_json():
    config = make_config(trainable_rules=((".*/lora_a", False), (".*", True)))
    assert from_json(TrainConfig, to_json(config)) == config


def test_nested_overrides_reach_every_part():
    config = apply_overrides(
        make_config(),
        [
            "optimizer.ema_decay=0.5",
            "data.transform.zh_share=0.25",
            "intervals.save=7",
            "loss.gate_weight=1",
            "phase1.peak=0.01",
            'trainable_rules=[[".*/lora_b", true], [".*", false]]',
        ],
    )
    assert config.optimizer.ema_decay == 0.5
    assert config.data.transform.zh_share == 0.25
    assert config.intervals.save == 7
    assert config.loss.gate_weight == 1.0
    assert config.phase1.peak == 0.01
    assert config.trainable_rules == ((".*/lora_b", True), (".*", False))


def test_the_benchmark_is_set_as_a_whole_and_survives_json():
    setting = 'evaluation.benchmark={"split": "mini", "languages": ["zh"]}'
    config = apply_overrides(make_config(), [setting])
    assert config.evaluation.benchmark == BenchmarkConfig(
        split="mini", every=1_000, cases_per_task=1, languages=("zh",)
    )
    assert from_json(TrainConfig, to_json(config)) == config


@pytest.mark.parametrize(
    ("assignments", "sentence"),
    [
        (["num_steps=0"], "num_steps is 0"),
        (["seed=-1"], "seed is -1"),
        (["stage=stage2"], "stage2 needs the workdir of stage 1"),
        (["previous=runs/x"], "no other stage may have one"),
        (["base=random"], "base=random in stage1 would train modules on noise"),
        (["mesh=16x1"], r"data.global_batch=16 does not divide into 2 .* of 32$"),
        (["mesh=four"], "cannot read the mesh 'four'"),
        (["intervals.log=0"], "intervals.log is 0"),
        (["evaluation.num_previews=99"], "evaluation.num_previews is 99"),
        (
            ['evaluation.benchmark={"every": 750}'],
            "every=750 is no multiple of intervals.evaluate=500",
        ),
        (['evaluation.benchmark={"every": 0}'], "evaluation.benchmark.every is 0"),
        (
            ['evaluation.benchmark={"cases_per_task": 0}'],
            "evaluation.benchmark.cases_per_task is 0",
        ),
        (
            ['evaluation.benchmark={"split": "test"}'],
            "evaluation.benchmark.split is 'test'; it must be one of smoke, mini, dev",
        ),
        (['evaluation.benchmark={"languages": []}'], r"languages is \[\]; name en"),
        (
            ['evaluation.benchmark={"languages": ["zh", "zh"]}'],
            r"languages is \['zh', 'zh'\]; name en, zh or both, each once",
        ),
        (
            ["stage=pretrain", "evaluation.benchmark={}"],
            "evaluation.benchmark has no effect in pretrain",
        ),
        (
            [
                'data.mixture=[{"path": "a", "weight": 1, "latents": "b"}]',
                "evaluation.latents=c",
                "evaluation.benchmark={}",
            ],
            "evaluation.benchmark needs the conditioner, which is not loaded",
        ),
        (["adapter.as=params"], "adapter.as=params has no effect without"),
        (["adapter.files=a.safetensors:0"], "the scale of a.safetensors is 0"),
        (["adapter.files=a.bin"], "a.bin is not a .safetensors file"),
        (
            ["stage=pretrain", "adapter.files=a.safetensors"],
            "adapter.files has no place in pretrain",
        ),
        (
            [
                "stage=stage2",
                "previous=runs/x",
                "adapter.files=a.safetensors",
                "adapter.as=pattern_shifting",
            ],
            "adapter.as=pattern_shifting has no effect in stage2",
        ),
        (["adapter.as=consistency"], "must be one of params, pattern_shifting"),
        (["model.compatible=diffusers"], "source_attention=full, not cached"),
        (
            [
                "stage=stage2",
                "previous=runs/x",
                "data.transform.is_mask_required=false",
            ],
            "is_mask_required is false in stage2",
        ),
    ],
)
def test_contradictions_are_one_sentence(assignments, sentence):
    with pytest.raises(UserError, match=sentence):
        apply_overrides(make_config(), assignments)


def test_stage_two_with_a_previous_stage_is_accepted():
    config = make_config(stage="stage2", previous=Path("runs/tiny/stage1"))
    assert dataclasses.replace(config, num_steps=1).num_steps == 1


def test_a_context_axis_would_have_no_effect_and_is_refused():
    with pytest.raises(UserError, match="context axis of 2"):
        make_config(mesh="data:1,model:1,context:2")
