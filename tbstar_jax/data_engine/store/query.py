"""Conditions on the side index, and the rows that meet them all."""

import dataclasses
from collections.abc import Collection, Mapping
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tbstar_jax.array_types import Int
from tbstar_jax.data_engine.annotate import KEPT
from tbstar_jax.data_engine.store.index import SCORE
from tbstar_jax.data_engine.store.licences import allows_commercial_use
from tbstar_jax.errors import UserError

__all__ = ["Query", "select_rows"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Query:
    """What a record must be; an empty collection sets no condition.

    Attributes:
      statuses: `kept`, `flagged:<rule>`, or `flagged` for any rule.
      tasks: ids of `tbstar_jax/tasks.py`.
      methods: how records were made.
      transforms: how they came from their parents.
      licences: as the records name them.
      is_commercial_only: only licences known to allow commercial use.
      is_lossless_only: only PNG and lossless WebP.
      is_mask_required: only records that know what changed.
      num_sources: counts of source images.
      languages: languages in which a record must have an instruction, all of them.
      max_instruction_bytes: longest of all instructions of a record, in UTF-8: training
        draws any of them. None: no limit.
      min_scores: least value by score; a record without the score does not meet it.
      max_scores: greatest value by score, likewise.
    """

    statuses: tuple[str, ...] = (KEPT,)
    tasks: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    transforms: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    is_commercial_only: bool = False
    is_lossless_only: bool = False
    is_mask_required: bool = False
    num_sources: tuple[int, ...] = ()
    languages: tuple[Literal["en", "zh"], ...] = ()
    max_instruction_bytes: int | None = None
    min_scores: Mapping[str, float] = dataclasses.field(default_factory=dict)
    max_scores: Mapping[str, float] = dataclasses.field(default_factory=dict)


def select_rows(
    table: pa.Table, query: Query, held_out: Collection[str] = ()
) -> Int[np.ndarray, " r"]:
    """Finds the records that meet a query.

    Args:
      table: an index.
      query: the conditions.
      held_out: scenes that must not be taken, whatever the query says.

    Returns:
      Their rows in the set, ascending.

    Raises:
      UserError: a limit is set, and the index does not say how long instructions are.
    """
    kept = np.ones(len(table), np.bool_)
    for column in ("tasks", "methods", "transforms", "licences"):
        wanted = getattr(query, column)
        if wanted:
            kept &= _is_in(table[column.removesuffix("s")], wanted)
    if query.statuses:
        kept &= _has_status(table["status"], query.statuses)
    if query.num_sources:
        kept &= np.isin(table["num_sources"].to_numpy(), query.num_sources)
    if query.is_commercial_only:
        names = pc.unique(table["licence"]).to_pylist()
        free = [name for name in names if allows_commercial_use(name)]
        kept &= _is_in(table["licence"], free)
    flags = ["is_lossless"] * query.is_lossless_only
    flags += ["has_mask"] * query.is_mask_required
    flags += [f"has_{language}" for language in query.languages]
    for name in flags:
        kept &= table[name].to_numpy()
    if query.max_instruction_bytes is not None:
        kept &= _instruction_bytes(table) <= query.max_instruction_bytes
    for name, least in query.min_scores.items():
        # Comparisons with NaN, for a score that is not there, are False.
        kept &= _score(table, name) >= least
    for name, most in query.max_scores.items():
        kept &= _score(table, name) <= most
    if held_out:
        kept &= ~_is_in(table["scene"], held_out)
    return table["row"].to_numpy()[kept]


def _is_in(column: pa.ChunkedArray, values: Collection[str]) -> np.ndarray:
    return pc.is_in(column, pa.array(sorted(values), pa.string())).to_numpy()


def _has_status(column: pa.ChunkedArray, wanted: tuple[str, ...]) -> np.ndarray:
    there = pc.unique(column).to_pylist()
    met = [one for one in there if one in wanted or one.split(":")[0] in wanted]
    return _is_in(column, met)


def _instruction_bytes(table: pa.Table) -> np.ndarray:
    column = table["instruction_bytes"]
    if column.null_count:
        key = table["key"][pc.index(pc.is_null(column), True).as_py()].as_py()
        raise UserError(
            f"the index that holds the record {key!r} does not say how long "
            "instructions are, since an earlier version wrote it; build its set again, "
            "or set no mix.max_instruction_bytes"
        )
    return column.to_numpy()


def _score(table: pa.Table, name: str) -> np.ndarray:
    if SCORE + name not in table.column_names:
        return np.full(len(table), np.nan)
    return table[SCORE + name].to_numpy()
