"""Random numbers of the benchmark: keyed by what they are for, apart from training's.

A generator is keyed by SHA-256 over a JSON list of seven: the benchmark's own name, its
version, split, seed, task, index and the stream. The data engine keys its generators by
JSON lists of three that begin with a number (`data_engine.stage.record_generator`), the
`tiny` renderer by texts `space/seed/index/stream` (`data_engine.render.sampling`): no
key of the benchmark equals one of theirs, whatever the seeds.
"""

import hashlib
import json
from importlib import metadata

import numpy as np

BENCHMARK_VERSION = 5
"""Raised whenever a case would have other pixels, masks or words."""

PACKAGES = ("numpy", "pillow")
"""Packages whose versions may round a pixel otherwise."""

_DOMAIN = "tbstar_jax.evaluation.cases"


def case_key(split: str, seed: int, task: str, index: int, stream: str) -> bytes:
    """What a generator is keyed by, as UTF-8 JSON.

    Args:
      split: of the case.
      seed: 0, or what the user gave for the split `fresh` and for photos.
      task: of the case; or a stratum of cases that take turns.
      index: of the case, or of what else is drawn for: a block of turns.
      stream: what the numbers are for.
    """
    key = [_DOMAIN, BENCHMARK_VERSION, split, seed, task, index, stream]
    return json.dumps(key).encode()


def case_generator(
    split: str, seed: int, task: str, index: int, stream: str
) -> np.random.Generator:
    """The random numbers of one purpose of one case; arguments as in `case_key`."""
    digest = hashlib.sha256(case_key(split, seed, task, index, stream)).digest()
    words = np.frombuffer(digest, dtype="<u4")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words.tolist())))


def versions() -> dict[str, str]:
    """The versions of `PACKAGES` that draw cases here, by name."""
    return {name: metadata.version(name) for name in PACKAGES}
