"""Compiles the full-size programs without weights and without the hardware.

    python -m experiments.aot --target=cpu --what=forward
    python -m experiments.aot --target=v5p:2x2x1 --what=stage1 --out=v5p.json
    make aot-h200

The four programs are those that are run: the model's forward pass, the same with the
source's keys and values cached, and a training step of either stage. Their arguments
are shapes with shardings, so nothing is allocated. The report says for one device what
the program is given and needs, what it moves between devices, how often it calls flash
attention, and whether any array has tokens on two sides.
"""

import argparse
import dataclasses
import importlib.metadata
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from experiments.aot_digest import compiled_sources, source_digest
from experiments.aot_programs import (
    PROGRAMS,
    Program,
    Setting,
    build_program,
    traced_tflop,
)
from tbstar_jax.errors import run_command
from tbstar_jax.model.attention import AttentionKernel
from tbstar_jax.model.presets import PUBLIC_PRESETS
from tbstar_jax.parallel.compiled import (
    bytes_by_kind,
    count_calls,
    read_buffers,
    read_collectives,
    square_buffers,
)
from tbstar_jax.parallel.mesh import ensure_virtual_devices, make_mesh, parse_mesh
from tbstar_jax.parallel.topology import absent_devices, cudnn_version, kernels_of

_GIB = 2**30
_DEFAULT_MESH = {"cpu": "4x2", "h200": "1x1"}

RECORDED: tuple[tuple[Program, int], ...] = (
    ("forward", 1),
    ("cached_forward", 1),
    ("stage1", 1),
    ("stage1", 8),
    ("stage2", 1),
)
"""Programs and batch sizes that `make aot-h200` writes down."""

# LLVM's effort on the host's own code has no influence on what is reported.
_CPU_OPTIONS = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """What a compiled program tells about one device, per call or step.

    Attributes:
      program: one of `PROGRAMS`.
      target: what it was compiled for.
      mesh: sizes of the axes.
      preset: name of the model.
      batch_size: examples over all devices.
      argument_gib: weights, states and batch.
      temporary_gib: what it needs beside its arguments and results.
      total_gib: all of it, donated arguments counted once.
      tflop: 10^12 operations of matrix products and attention over all devices, the
        recomputed ones included.
      collective_gib: bytes by kind, kinds that do not occur left out.
      flash_calls: calls of flash attention kernels, by name.
      flash_calls_per_attention: the same, all together, over the number of attentions
        in a forward pass; 0 where attention is matrix products.
      largest_buffer: largest array it makes, with its GiB.
      token_square_buffers: arrays of tokens x tokens.
    """

    program: str
    target: str
    mesh: str
    preset: str
    batch_size: int
    argument_gib: float
    temporary_gib: float
    total_gib: float
    tflop: float
    collective_gib: dict[str, float]
    flash_calls: dict[str, int]
    flash_calls_per_attention: float
    largest_buffer: str
    token_square_buffers: list[str]


def compile_program(
    what: Program,
    target: str,
    *,
    preset_name: str = "qwen-image",
    examples_per_device: int = 1,
    mesh_text: str | None = None,
) -> Report:
    """Compiles one program for one target.

    Args:
      what: the program.
      target: `cpu`, `h200` or a TPU topology.
      preset_name: name of the model.
      examples_per_device: along the axis `data`, of 1024 x 1024 pixels.
      mesh_text: as `--mesh`; None for a usual one.

    Raises:
      UserError: an unknown target, one whose compiler is absent, or a mesh that
        does not fit.
    """
    devices = None if target == "cpu" else absent_devices(target)
    default = _DEFAULT_MESH.get(target) or f"{len(devices or ())}x1"
    shape = parse_mesh(mesh_text or default)
    if target == "cpu":
        ensure_virtual_devices(shape.num_devices)
    mesh = make_mesh(shape, devices)
    setting = Setting(preset=preset_name, batch_size=examples_per_device * shape.data)
    kernel, _ = _flash_attention(target)
    function, arguments = build_program(what, setting, kernel, mesh)
    with kernels_of(target):
        traced = function.trace(*arguments)
        lowered = traced.lower()
    compiled = lowered.compile(compiler_options=_CPU_OPTIONS if devices is None else {})
    facts = {
        "program": what,
        "target": target,
        "mesh": str(shape),
        "preset": setting.preset,
        "batch_size": setting.batch_size,
        "tflop": round(traced_tflop(traced.jaxpr), 1),
    }
    contents = _contents(compiled, what, setting, target)
    return Report(**facts, **_memory(compiled), **contents)


def _flash_attention(target: str) -> tuple[AttentionKernel, str]:
    """The kernel of a target, and what its calls are named like."""
    match target:
        case "cpu":
            return "xla", "none"
        case "h200":
            return "cudnn", r"__cudnn\$fmha"
    return "splash", "tpu_custom_call"


def _memory(compiled: Any) -> dict[str, float]:
    """Bytes of one device, in GiB."""
    memory = compiled.memory_analysis()
    arguments, temporaries = (
        memory.argument_size_in_bytes,
        memory.temp_size_in_bytes,
    )
    results = memory.output_size_in_bytes - memory.alias_size_in_bytes
    return {
        "argument_gib": round(arguments / _GIB, 2),
        "temporary_gib": round(temporaries / _GIB, 2),
        "total_gib": round((arguments + temporaries + results) / _GIB, 2),
    }


def _contents(
    compiled: Any, what: Program, setting: Setting, target: str
) -> dict[str, Any]:
    """What the optimised program consists of."""
    hlo = compiled.as_text()
    moved = bytes_by_kind(read_collectives(hlo))
    calls = count_calls(hlo, _flash_attention(target)[1])
    buffers = read_buffers(hlo)
    squares = square_buffers(buffers, setting.token_counts, setting.folds)
    largest = buffers[0]
    return {
        "collective_gib": {
            kind: round(size / _GIB, 3) for kind, size in moved.items() if size
        },
        "flash_calls": calls,
        "flash_calls_per_attention": sum(calls.values()) / setting.num_attentions(what),
        "largest_buffer": f"{largest} {largest.num_bytes / _GIB:.2f} GiB",
        "token_square_buffers": [str(buffer) for buffer in squares],
    }


def versions(target: str) -> dict[str, str]:
    """The compilers' versions."""
    names = ["jax", "jaxlib"]
    found = {name: importlib.metadata.version(name) for name in names}
    if target == "h200":
        found["cudnn"] = ".".join(str(part) for part in cudnn_version())
    return found


def main(argv: Sequence[str]) -> None:
    """Compiles the full-size programs on shapes alone, and reports what they need."""
    parser = argparse.ArgumentParser(description=main.__doc__, allow_abbrev=False)
    parser.add_argument("--target", default="cpu", help="cpu, h200 or v5p:2x2x1")
    parser.add_argument(
        "--what",
        choices=PROGRAMS,
        help="absent: all of them, stage 1 at two batch sizes",
    )
    parser.add_argument("--preset", choices=PUBLIC_PRESETS, default="qwen-image")
    parser.add_argument("--mesh", help="data x model, such as 4x1")
    parser.add_argument(
        "--batch", type=int, default=1, help="examples per device along data"
    )
    parser.add_argument("--out", type=Path, help="also write the reports there, JSON")
    flags = parser.parse_args(argv)
    if flags.target == "cpu":
        jax.config.update("jax_platforms", "cpu")
    wanted = [(flags.what, flags.batch)] if flags.what else RECORDED
    reports = []
    for what, num_examples in wanted:
        began = time.perf_counter()
        report = dataclasses.asdict(
            compile_program(
                what,
                flags.target,
                preset_name=flags.preset,
                examples_per_device=num_examples,
                mesh_text=flags.mesh,
            )
        )
        print(json.dumps(report, indent=2))
        print(f"compiled in {time.perf_counter() - began:.1f} s", file=sys.stderr)
        reports.append(report)
    if flags.out:
        content = {
            "versions": versions(flags.target),
            "digest": source_digest(compiled_sources(), flags.preset),
            "reports": reports,
        }
        text = json.dumps(content, indent=2) + "\n"
        flags.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(run_command(main))
