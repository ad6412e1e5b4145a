"""Writes the golden losses: `python -m tests.support.golden`.

They are those of the reference run of `tests/experiments`: 20 steps of the reduced
stage 1 on one device, accumulating over two micro-batches.
"""

import json
import tempfile
from pathlib import Path

import jaxlib

from tbstar_jax.convert.folder import load_weights
from tbstar_jax.parallel.mesh import ensure_virtual_devices
from tests.support import reduced

PATH = Path(__file__).parents[1] / "golden" / "stage1_losses.json"


def made_with():
    """What rounding depends on: the compiler and the processor."""
    return {"jaxlib": jaxlib.__version__, "processor": _processor()}


def _processor():
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2] for line in lines if line.startswith("model name")]
    return names[0].strip() if names else "unknown"


def main():
    # As in the tests: the number of threads decides how products are summed.
    ensure_virtual_devices(8)
    with tempfile.TemporaryDirectory() as directory:
        place = reduced.make_place(Path(directory))
        config = reduced.reference_config(place)
        reduced.run(config, load_weights(place.base))
        losses = list(reduced.losses(config.workdir).values())
    content = {"made_with": made_with(), "losses": losses}
    PATH.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
