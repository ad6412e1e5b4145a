"""The full-size programs compile on shapes alone, and need what they may need."""

import functools
import json
import os
import pathlib
import subprocess
import sys

import jax
import pytest

from experiments.aot import RECORDED, compile_program, main
from experiments.aot_digest import compiled_sources, normalised, source_digest
from experiments.aot_programs import PROGRAMS
from tbstar_jax.errors import UserError
from tbstar_jax.model.presets import preset
from tbstar_jax.parallel.compiled import Buffer, square_buffers
from tbstar_jax.parallel.topology import absent_devices
from tbstar_jax.training.workload import forward_tflop

ROOT = pathlib.Path(__file__).parents[2]
GOLDEN = ROOT / "tests/golden/aot_h200.json"
# The base's parameters in bfloat16.
WEIGHTS_GIB = 2 * 20_430_401_088 / 2**30


@functools.cache
def compiled_for_cpu(what):
    # As the commands run: a frozen bfloat16 bias and a trained float32 offset add up.
    with jax.numpy_dtype_promotion("standard"):
        return compile_program(what, target="cpu")


@pytest.mark.parametrize("what", PROGRAMS)
def test_a_full_size_program_compiles_for_a_cpu_mesh(what):
    report = compiled_for_cpu(what)
    assert report.mesh == "4x2"
    # Beside the weights: adapters and their states, or the cache of one source.
    assert WEIGHTS_GIB / 8 < report.argument_gib < WEIGHTS_GIB / 8 + 3.2


def test_the_traced_operations_are_the_formulas():
    formula = 4 * forward_tflop(preset("qwen-image"), 4096, 4096, 512)
    assert compiled_for_cpu("forward").tflop == pytest.approx(formula, rel=0.03)


def test_the_cache_saves_two_fifths_of_the_operations():
    ratio = compiled_for_cpu("cached_forward").tflop / compiled_for_cpu("forward").tflop
    assert ratio == pytest.approx(92.2 / 160.2, rel=0.02)


def compile_for_v5p(what, out):
    """In a process of its own: libtpu stays out of this one."""
    command = [sys.executable, "-m", "experiments.aot", "--target=v5p:2x2x1"]
    result = subprocess.run(
        [*command, f"--what={what}", f"--out={out}"],
        cwd=ROOT,
        env={**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    (report,) = json.loads(out.read_text())["reports"]
    return report


def test_the_forward_pass_fits_four_chips_and_gathers_the_weights_once(tmp_path):
    report = compile_for_v5p("forward", tmp_path / "report.json")
    assert report["total_gib"] < 11
    assert report["temporary_gib"] < 0.6
    assert report["flash_calls_per_attention"] == 1
    assert report["token_square_buffers"] == []
    formula = 4 * forward_tflop(preset("qwen-image"), 4096, 4096, 512)
    assert report["tflop"] == pytest.approx(formula, rel=0.03)
    gathered = report["collective_gib"]
    assert gathered.keys() == {"all-gather"}
    assert gathered["all-gather"] == pytest.approx(WEIGHTS_GIB, rel=0.01)


@pytest.mark.slow
def test_stage_1_fits_four_chips(tmp_path):
    report = compile_for_v5p("stage1", tmp_path / "report.json")
    assert report["total_gib"] < 18
    assert report["collective_gib"]["all-gather"] < 2.4 * WEIGHTS_GIB
    # Forward, recomputed forward, and two for the gradients.
    assert report["flash_calls_per_attention"] == 4
    assert report["token_square_buffers"] == []


def test_an_unknown_target_is_refused():
    with pytest.raises(UserError, match=r"v5p:2x2x1"):
        absent_devices("h100")


def test_without_the_cuda_wheels_the_command_says_what_installs_them(capfd):
    with pytest.raises(UserError, match="make aot-h200"):
        main(["--target=h200", "--what=forward"])


def test_logits_are_an_array_of_tokens_times_tokens_however_they_are_folded():
    folded = Buffer(dtype="f32", shape=(24 * 4096, 4096))
    plain = Buffer(dtype="bf16", shape=(1, 12, 4608, 8704))
    state = Buffer(dtype="bf16", shape=(60, 4096, 12288))
    found = square_buffers([folded, plain, state], (4096, 4608, 8704), (1, 24))
    assert found == [folded, plain]


def recorded():
    reports = json.loads(GOLDEN.read_text())["reports"]
    return {(report["program"], report["batch_size"]): report for report in reports}


def test_the_h200_record_is_of_these_sources():
    stored = json.loads(GOLDEN.read_text())["digest"]
    current = source_digest(compiled_sources(), "qwen-image")
    assert stored == current, "the model changed since: run make aot-h200"


def test_the_h200_record_holds_every_program():
    assert recorded().keys() == set(RECORDED)


@pytest.mark.parametrize(("batch_size", "limit"), [(1, 44), (8, 76)])
def test_stage_1_on_an_h200_needs_at_most(batch_size, limit):
    assert recorded()["stage1", batch_size]["total_gib"] <= limit


def test_the_forward_pass_on_an_h200_needs_half_a_gib_beside_its_arguments():
    assert recorded()["forward", 1]["temporary_gib"] <= 0.5
    assert recorded()["cached_forward", 1]["temporary_gib"] <= 0.5


def test_an_attention_is_one_flash_call_and_three_in_a_training_step():
    calls = {key: x["flash_calls_per_attention"] for key, x in recorded().items()}
    assert calls == {
        ("forward", 1): 1,
        ("cached_forward", 1): 1,
        ("stage1", 1): 3,
        ("stage1", 8): 3,
        ("stage2", 1): 3,
    }


def test_no_program_on_an_h200_makes_an_array_of_tokens_times_tokens():
    assert [x["token_square_buffers"] for x in recorded().values()] == [[]] * 5


def test_comments_docstrings_and_layout_do_not_make_a_record_stale():
    before = 'def f(x):\n    """Doubles."""\n    return 2 * x\n'
    after = "def f(\n    x,\n):\n    # Twice.\n    return 2 * x\n"
    assert normalised(before) == normalised(after)
    assert normalised(before) != normalised(before.replace("2", "3"))
