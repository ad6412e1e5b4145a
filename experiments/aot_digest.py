"""The digest by which a recorded compilation knows that it is out of date."""

import ast
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from tbstar_jax.config import to_dict
from tbstar_jax.model.presets import preset

_PACKAGE = Path(__file__).parents[1] / "tbstar_jax"

# Of `model` and `parallel`: what no compiled program contains. The sizes in presets.py
# enter as the preset that is compiled.
_NOT_COMPILED = (
    "model/presets.py",
    "model/vae.py",
    "parallel/compiled.py",
    "parallel/distributed.py",
    "parallel/topology.py",
)
_BESIDES = (
    "diffusion/loss.py",
    "diffusion/path.py",
    "diffusion/timesteps.py",
    "training/objective.py",
    "training/optimizer.py",
    "training/step.py",
)


def compiled_sources() -> list[Path]:
    """The files that the programs are made of."""
    found = [
        path
        for folder in ("model", "parallel")
        for path in (_PACKAGE / folder).iterdir()
    ]
    left_out = {_PACKAGE / name for name in _NOT_COMPILED}
    kept = [path for path in found if path.suffix == ".py" and path not in left_out]
    return sorted([*kept, *(_PACKAGE / name for name in _BESIDES)])


def source_digest(paths: Iterable[Path], preset_name: str) -> str:
    """SHA-256 over what the files mean, and the sizes of the model.

    Comments, docstrings and layout do not count.
    """
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.relative_to(_PACKAGE).as_posix().encode())
        digest.update(normalised(path.read_text(encoding="utf-8")).encode())
    config = preset(preset_name)
    sizes = {
        field: to_dict(getattr(config, field))
        for field in ("transformer", "pattern_shifting", "consistency")
    }
    digest.update(json.dumps(sizes, sort_keys=True).encode())
    return digest.hexdigest()


def normalised(source: str) -> str:
    """A program text without what the compiler of the language drops."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            body[:] = [statement for statement in body if not _is_text(statement)]
    return ast.dump(tree)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
