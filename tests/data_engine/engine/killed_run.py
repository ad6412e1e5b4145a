"""A run that is killed: `python -m tests.data_engine.engine.killed_run OUT LOG ENGINE`.

Unit 3 of 6 kills the process that makes it, or its parent, unless it did before. ENGINE
is `one`, `two` (its parent, by one of two workers) or `ray` (the driver).
"""

import contextlib
import dataclasses
import os
import sys
from pathlib import Path

from tbstar_jax.data_engine.engine.embedded import EmbeddedEngine
from tbstar_jax.data_engine.engine.run import run_stage
from tbstar_jax.errors import UserError
from tests.data_engine.engine.toy import ToyStage


def toy_stage(log, engine, driver=0):
    return ToyStage(
        log=log,
        sizes=(3,) * 6,
        rejected=(2,),
        killed="unit 03",
        victim={"one": 0, "two": -1, "ray": driver}[engine],
        seconds=0.05 if engine == "two" else 0.0,
    )


def make_engine(name):
    if name == "ray":
        from tbstar_jax.data_engine.engine.ray_engine import RayEngine

        return RayEngine(num_actors=2, address="local")
    return EmbeddedEngine(workers={"one": 1, "two": 2}[name])


def main(out, log, name):
    stage = toy_stage(Path(log), name, os.getpid())
    engine = make_engine(name)
    options = {"engine": engine, "show_progress": False}
    with engine.joined() if name == "ray" else contextlib.nullcontext():
        report = run_stage(stage, out, "toy", "train", **options)
        print(f"made {report.num_made}")
        failing = dataclasses.replace(stage, fails_at="unit 01", salt="other")
        try:
            run_stage(failing, f"{out}-other", "toy", "train", **options)
        except RuntimeError as error:
            print(str(error).splitlines()[0])
        if name == "ray":
            many = dataclasses.replace(engine, num_actors=99)
            try:
                run_stage(failing, f"{out}-other", "toy", "train", engine=many)
            except UserError as error:
                print(error)


if __name__ == "__main__":
    main(*sys.argv[1:])
