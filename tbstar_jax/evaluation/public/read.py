"""A user's copy of a benchmark, by the benchmark's name."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tbstar_jax.errors import UserError
from tbstar_jax.evaluation.cases.case import Language
from tbstar_jax.evaluation.public.gedit import read_gedit
from tbstar_jax.evaluation.public.imgedit import read_imgedit, read_uge
from tbstar_jax.evaluation.public.items import SUITES, Suite, SuiteName
from tbstar_jax.evaluation.public.kontext import read_kontext
from tbstar_jax.evaluation.public.kwai import read_kwai
from tbstar_jax.evaluation.public.paintbench import read_paintbench
from tbstar_jax.evaluation.public.textedit import read_textedit

_READERS: Mapping[SuiteName, Callable[[Path, Language | None], Suite]] = {
    "gedit": read_gedit,
    "imgedit": read_imgedit,
    "uge": read_uge,
    "kontext": read_kontext,
    "kwai": read_kwai,
    "textedit": read_textedit,
    "paintbench": read_paintbench,
}


def read_suite(name: str, path: Path, language: Language | None = None) -> Suite:
    """Reads a user's copy; photos are decoded when they are looked at.

    Args:
      name: one of `SUITES`.
      path: where the copy is; see the suite's module.
      language: only instructions of this one; None for all.

    Raises:
      UserError: no such suite, or its copy cannot be read or has no items.
    """
    known = next((one for one in SUITES if one == name), None)
    if known is None:
        raise UserError(
            f"there is no public benchmark {name[:40]!r}; known are {', '.join(SUITES)}"
        )
    if not path.exists():
        raise UserError(f"there is no file or folder {path}")
    return _READERS[known](path, language)
