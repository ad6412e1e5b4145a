"""How many records of what a set holds, from its index alone."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tbstar_jax.data_engine.store.index import read_index

__all__ = ["SetSummary", "read_status_counts", "summarise"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SetSummary:
    """Counts of one set.

    Attributes:
      name: of its directory.
      num_records: all of them.
      num_scenes: different scenes.
      statuses: records by status.
      tasks: records by task; the empty name where none is known.
      methods: records by method.
      licences: records by licence.
    """

    name: str
    num_records: int
    num_scenes: int
    statuses: Mapping[str, int]
    tasks: Mapping[str, int]
    methods: Mapping[str, int]
    licences: Mapping[str, int]


def read_status_counts(directory: str | os.PathLike[str]) -> dict[str, int]:
    """Records by status, the most frequent first; raises as `read_index` does."""
    return _counts(read_index(directory), "status")


def summarise(directory: str | os.PathLike[str]) -> SetSummary:
    """Counts the records of a set; raises as `read_index` does."""
    table = read_index(directory)
    return SetSummary(
        name=Path(directory).name,
        num_records=len(table),
        num_scenes=pc.count_distinct(table["scene"]).as_py(),
        statuses=_counts(table, "status"),
        tasks=_counts(table, "task"),
        methods=_counts(table, "method"),
        licences=_counts(table, "licence"),
    )


def _counts(table: pa.Table, column: str) -> dict[str, int]:
    found = table[column].value_counts().to_pylist()
    pairs = [(entry["values"], entry["counts"]) for entry in found]
    return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))
