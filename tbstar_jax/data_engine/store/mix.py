"""From a mixture and sets to selections that training takes.

A mixture becomes a directory: `<name>.json` names sets, weights and selections; a
selection lies beside it per part and set. What is held out is left out by scene, the
cluster of photos that show the same, never by pair.
"""

import dataclasses
import json
import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tbstar_jax.array_types import Int
from tbstar_jax.data_engine.store.index import INDEX, read_index
from tbstar_jax.data_engine.store.mixtures import Mixture
from tbstar_jax.data_engine.store.query import select_rows
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.mixtures import MixtureEntry, open_source
from tbstar_jax.input_pipeline.record_shards import write_durably
from tbstar_jax.input_pipeline.selections import write_selection

__all__ = [
    "Mixed",
    "MixedPart",
    "held_out_scenes",
    "mixture_entries",
    "write_mixture",
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MixedPart:
    """What one part of a mixture took from one set.

    Attributes:
      part: its name.
      directory: the set.
      num_records: how many it took.
      num_en: of them, with an English instruction.
      num_zh: with a Chinese one.
      weight: share of the batches, in (0, 1]; those of a mixture sum to 1.
      selection: the file of rows.
    """

    part: str
    directory: Path
    num_records: int
    num_en: int
    num_zh: int
    weight: float
    selection: Path


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mixed:
    """What became of a mixture.

    Attributes:
      parts: part by part, set by set.
      num_too_long: records that were left out for the length of an instruction alone.
    """

    parts: tuple[MixedPart, ...]
    num_too_long: int


def held_out_scenes(
    sets: Iterable[tuple[str | os.PathLike[str], str]],
) -> frozenset[str]:
    """All scenes of sets that must stay unseen: held-out sets, seeds of benchmarks.

    Args:
      sets: directory and split of each.

    Raises:
      UserError: a set does not open.
    """
    scenes: set[str] = set()
    for directory, split in sets:
        source = open_source(directory, split)
        if (Path(directory) / INDEX).is_file():
            scenes.update(read_index(directory)["scene"].to_pylist())
        else:
            scenes.update(source[row].scene for row in range(len(source)))
    return frozenset(scenes)


def write_mixture(
    mixture: Mixture,
    sets: Sequence[str | os.PathLike[str]],
    split: str,
    out: str | os.PathLike[str],
    held_out: Collection[str],
) -> Mixed:
    """Chooses the records of a mixture and writes what training needs.

    Args:
      mixture: parts and weights; a part that finds nothing leaves its weight to the
        others.
      sets: directories of sets of pairs, each with an index.
      split: of all of them, e.g. `train`.
      out: directory for `<name>.json` and the selections.
      held_out: scenes that must not be taken, from `held_out_scenes`.

    Returns:
      What was taken; nothing is in it twice.

    Raises:
      UserError: a set does not open, has no index or one that says too little, or lies
        under two names, or no part finds a record.
    """
    directories = [Path(directory) for directory in sets]
    if len({one.resolve() for one in directories}) < len(directories):
        raise UserError(f"a set is named twice for the mixture {mixture.name}")
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    chosen, num_too_long = _choose(mixture, directories, held_out)
    weights = _weights(mixture, [(part, len(rows)) for part, _, _, rows in chosen])
    mixed = []
    for (part, directory, table, rows), weight in zip(chosen, weights, strict=True):
        number = directories.index(directory)
        path = out / f"{mixture.name}-{part}-{number:02d}.rows.json"
        write_selection(path, open_source(directory, split).fingerprint, rows)
        mixed.append(
            MixedPart(
                part=part,
                directory=directory,
                num_records=len(rows),
                num_en=int(table["has_en"].to_numpy()[rows].sum()),
                num_zh=int(table["has_zh"].to_numpy()[rows].sum()),
                weight=weight,
                selection=path,
            )
        )
    mixed.sort(key=lambda one: (_position(mixture, one.part), one.selection.name))
    done = Mixed(parts=tuple(mixed), num_too_long=num_too_long)
    _write_description(mixture, done, out, len(held_out))
    return done


def _choose(
    mixture: Mixture, directories: Sequence[Path], held_out: Collection[str]
) -> tuple[list[tuple[str, Path, pa.Table, Int[np.ndarray, " r"]]], int]:
    """Part, set, its index, and the rows of it that the part takes, if any.

    Then how many rows were left out for the length of an instruction alone.
    """
    chosen = []
    num_too_long = 0
    for directory in directories:
        table = read_index(directory)
        taken = _by_part(mixture, table, held_out)
        chosen += [(part, directory, table, rows) for part, rows in taken if len(rows)]
        num_of_any_length = sum(
            len(rows) for _, rows in _by_part(_unlimited(mixture), table, held_out)
        )
        num_too_long += num_of_any_length - sum(len(rows) for _, rows in taken)
    if not chosen:
        why = "its queries ask for more than they offer; look at their statuses"
        if num_too_long:
            why = (
                f"{num_too_long} have an instruction that is too long; raise "
                "mix.max_instruction_bytes, or make shorter ones with "
                "max_instruction_bytes"
            )
        raise UserError(
            f"no record of {len(directories)} sets is in the mixture {mixture.name}: "
            f"{why}"
        )
    return chosen, num_too_long


def _unlimited(mixture: Mixture) -> Mixture:
    """The mixture with instructions of any length."""
    parts = tuple(
        dataclasses.replace(
            part, query=dataclasses.replace(part.query, max_instruction_bytes=None)
        )
        for part in mixture.parts
    )
    return dataclasses.replace(mixture, parts=parts)


def _by_part(
    mixture: Mixture, table: pa.Table, held_out: Collection[str]
) -> list[tuple[str, Int[np.ndarray, " r"]]]:
    taken = np.zeros(0, np.int64)
    chosen = []
    for part in mixture.parts:
        found = select_rows(table, part.query, held_out)
        rows = np.setdiff1d(found, taken, assume_unique=True)
        taken = np.concatenate([taken, rows])
        chosen.append((part.name, rows))
    return chosen


def _position(mixture: Mixture, name: str) -> int:
    return [part.name for part in mixture.parts].index(name)


def _weights(mixture: Mixture, chosen: Sequence[tuple[str, int]]) -> list[float]:
    """Splits a part's weight over sets so that each of its records counts the same."""
    sizes: dict[str, int] = {}
    for name, count in chosen:
        sizes[name] = sizes.get(name, 0) + count
    wanted = {part.name: part.weight for part in mixture.parts if part.name in sizes}
    total = sum(wanted.values())
    return [wanted[name] / total * count / sizes[name] for name, count in chosen]


def _write_description(
    mixture: Mixture, mixed: Mixed, out: Path, num_held_out: int
) -> None:
    # Relative paths: a directory of sets and mixtures may be moved as a whole.
    root = out.resolve()
    entries = [
        {
            "part": one.part,
            "path": os.path.relpath(one.directory.resolve(), root),
            "selection": one.selection.name,
            "weight": one.weight,
            "num_records": one.num_records,
            "num_en": one.num_en,
            "num_zh": one.num_zh,
        }
        for one in mixed.parts
    ]
    content: dict[str, Any] = {
        "name": mixture.name,
        "zh_share": mixture.zh_share,
        "num_held_out_scenes": num_held_out,
        "num_too_long": mixed.num_too_long,
        "entries": entries,
    }
    text = json.dumps(content, indent=1, ensure_ascii=False)
    write_durably(out / f"{mixture.name}.json", f"{text}\n".encode())


def mixture_entries(path: str | os.PathLike[str]) -> tuple[MixtureEntry, ...]:
    """Reads a written mixture as training's `data.mixture`.

    Args:
      path: `<name>.json` from `write_mixture`.

    Raises:
      UserError: it is none.
    """
    root = Path(path).parent
    try:
        listed = json.loads(Path(path).read_bytes())["entries"]
        return tuple(
            MixtureEntry(
                path=os.path.normpath(root / one["path"]),
                weight=float(one["weight"]),
                selection=os.path.normpath(root / one["selection"]),
            )
            for one in listed
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(
            f"{path} is not a mixture; write it with `python -m data.build --stage=mix`"
        ) from error
