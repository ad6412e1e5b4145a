"""The side index of a set: one line per record, in the order of the rows.

It lies beside the shards as `index.parquet`. Filters, buckets and mixtures read and
change this file alone; images are not touched. Columns:

    key, task, method, transform, licence, origin, scene             text
    status, made_status    as decided last, and as the record was made with
    rows, columns      pixels of the target, or of the photo
    bucket             tokens of target and sources: `8x8+8x8`
    is_lossless, has_mask, has_en, has_zh                            booleans
    num_sources
    instruction_bytes  of the longest instruction, UTF-8; 0 of a photo, null where an
                       earlier version wrote the index
    shard, row         the shard's number, and the record's number in the whole set
    score.<name>       one column per score, null where a record has none
"""

import io
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tbstar_jax.array_types import Float, Shaped
from tbstar_jax.data_engine.annotate import status_of
from tbstar_jax.data_engine.store.codecs import is_lossless
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.record_shards import write_durably
from tbstar_jax.input_pipeline.records import EditRecord

INDEX = "index.parquet"
"""Name of the index beside the shards."""

SCORE = "score."
"""What the name of a score's column begins with."""

_STATUS = re.compile(r"kept|(flagged|rejected):[a-z0-9_.]+")
_PIXELS_PER_TOKEN = 16


def _schema() -> pa.Schema:
    texts = ("key", "task", "method", "transform", "status", "made_status")
    return pa.schema(
        [(name, pa.string()) for name in (*texts, "licence", "origin", "scene")]
        + [(name, pa.int32()) for name in ("rows", "columns")]
        + [("bucket", pa.string())]
        + [(name, pa.bool_()) for name in ("is_lossless", "has_mask")]
        + [("num_sources", pa.int32())]
        + [(name, pa.bool_()) for name in ("has_en", "has_zh")]
        + [("instruction_bytes", pa.int32())]
        + [("shard", pa.int32()), ("row", pa.int64())]
    )


def index_line(record: EditRecord) -> dict[str, Any]:
    """What the index says of a record, beside its place.

    Args:
      record: one that was checked.

    Returns:
      Column name to value, without `shard` and `row`.

    Raises:
      UserError: its status or a score is not what the columns hold, or an image's
        header is damaged.
    """
    sizes = record.image_sizes()
    notes = record.provenance
    texts = (*record.instructions_en, *record.instructions_zh)
    status = status_of(record)
    check_status(status, record.key)
    line: dict[str, Any] = {
        "key": record.key,
        "task": record.task,
        "status": status,
        "made_status": status,
        "scene": record.scene,
        "rows": sizes[0][0],
        "columns": sizes[0][1],
        "bucket": "+".join(f"{_tokens(h)}x{_tokens(w)}" for h, w in sizes),
        "is_lossless": is_lossless(record),
        "has_mask": bool(record.change_mask),
        "num_sources": len(record.source_images),
        "has_en": bool(record.instructions_en),
        "has_zh": bool(record.instructions_zh),
        "instruction_bytes": max((len(text.encode()) for text in texts), default=0),
    }
    for name, default in (("method", ""), ("transform", ""), ("origin", "")):
        line[name] = str(notes.get(name, default))
    line["licence"] = str(notes.get("licence", "unknown"))
    for name, value in dict(notes.get("scores", {})).items():
        if not isinstance(value, int | float) or not np.isfinite(value):
            raise UserError(
                f"the score {name!r} of record {record.key!r} is {value!r}, but must "
                "be a finite number"
            )
        line[SCORE + name] = float(value)
    return line


def _tokens(pixels: int) -> int:
    return -(-pixels // _PIXELS_PER_TOKEN)


def check_status(status: str, key: str) -> None:
    """Checks the form of a status.

    Raises:
      UserError: it is neither `kept` nor `flagged:<rule>` or `rejected:<rule>`.
    """
    if not _STATUS.fullmatch(status):
        raise UserError(
            f"the status of record {key!r} is {status!r}; use kept, flagged:<rule> or "
            "rejected:<rule>, with lower-case letters, digits, dots and underscores"
        )


def index_table(lines: Sequence[Mapping[str, Any]]) -> pa.Table:
    """The index of one shard, alone in its set.

    Args:
      lines: from `index_line`, in the shard's order.

    Returns:
      A table with the columns above; `shard` is 0 and `row` counts from 0.
    """
    scores = sorted({name for line in lines for name in line if _is_score(name)})
    schema = _schema()
    for name in scores:
        schema = schema.append(pa.field(name, pa.float64()))
    numbered = [{**line, "shard": 0, "row": k} for k, line in enumerate(lines)]
    return pa.Table.from_pylist(numbered, schema=schema)


def merge_indices(tables: Iterable[pa.Table]) -> pa.Table:
    """The index of a set from those of its shards, in order.

    Args:
      tables: one per shard, none of them empty.

    Returns:
      One table, shards and rows numbered through.

    Raises:
      UserError: a key is in two records.
    """
    placed = []
    for shard, table in enumerate(tables):
        number = pa.array(np.full(len(table), shard, np.int32))
        at = table.schema.get_field_index("shard")
        placed.append(table.set_column(at, "shard", number))
    merged = pa.concat_tables(placed, promote_options="default")
    at = merged.schema.get_field_index("row")
    merged = merged.set_column(at, "row", pa.array(np.arange(len(merged))))
    counts = merged["key"].combine_chunks().value_counts()
    for entry in counts.filter(pc.greater(counts.field("counts"), 1))[:1]:
        key = entry["values"].as_py()
        where = merged.filter(pc.equal(merged["key"], key))["shard"].to_pylist()
        raise UserError(
            f"the key {key!r} is used by {len(where)} records, in the shards {where}; "
            "keys must differ within a set"
        )
    order = [*_schema().names, *sorted(filter(_is_score, merged.column_names))]
    return merged.select(order)


def _is_score(name: str) -> bool:
    return name.startswith(SCORE)


def write_index(directory: str | os.PathLike[str], table: pa.Table) -> None:
    """Writes the index of a set; replaced at once where there is one."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    write_durably(Path(directory) / INDEX, buffer.getvalue())


def read_index(directory: str | os.PathLike[str]) -> pa.Table:
    """Reads the index of a set.

    Raises:
      UserError: there is none, or it is damaged or of another form.
    """
    path = Path(directory) / INDEX
    if not path.is_file():
        raise UserError(
            f"{directory} has no {INDEX}; sets that the data engine makes have one, "
            "others get it with `python -m data.build --stage=collect`"
        )
    try:
        table = pq.read_table(path, memory_map=False)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path} is damaged ({error}); build the set again") from error
    schema = _schema()
    if {"status", "made_status"} - set(table.column_names) == {"made_status"}:
        # Written before decisions left the first status alone.
        table = table.append_column("made_status", table["status"])
    if "instruction_bytes" not in table.column_names:
        # Written before mixtures had a limit.
        unknown = pa.nulls(len(table), pa.int32())
        table = table.append_column("instruction_bytes", unknown)
    scores = list(filter(_is_score, table.column_names))
    expected = {field.name: field.type for field in schema}
    expected |= {name: pa.float64() for name in scores}
    if {field.name: field.type for field in table.schema} != expected:
        raise UserError(
            f"{path} has other columns than this version writes; build the set again"
        )
    return table


def score_columns(table: pa.Table) -> dict[str, Float[np.ndarray, " n"]]:
    """The scores of an index by name, NaN where a record has none."""
    return {
        name.removeprefix(SCORE): table[name].to_numpy()
        for name in filter(_is_score, table.column_names)
    }


def replace_statuses(
    directory: str | os.PathLike[str], statuses: Mapping[str, str]
) -> pa.Table:
    """Decides again about records: changes the index, no shard.

    Args:
      directory: of a set with an index.
      statuses: key to status; records that are not named keep theirs.

    Returns:
      The new index.

    Raises:
      UserError: a key is not in the set, or a status has not the right form.
    """
    table = read_index(directory)
    keys, old = table["key"].to_pylist(), table["status"].to_pylist()
    absent = statuses.keys() - set(keys)
    if absent:
        raise UserError(
            f"{directory} has no record {min(absent)!r}, for which there is a new "
            f"status ({len(absent)} such keys)"
        )
    new = [statuses.get(key, status) for key, status in zip(keys, old, strict=True)]
    return write_statuses(directory, table, np.array(new, object))


def write_statuses(
    directory: str | os.PathLike[str],
    table: pa.Table,
    statuses: Shaped[np.ndarray, " n"],
) -> pa.Table:
    """Decides again about all records: changes the index, no shard.

    Args:
      directory: of the set.
      table: its index.
      statuses: texts as objects, row by row.

    Returns:
      The new index, which is also in its place.

    Raises:
      UserError: a status has not the right form.
    """
    column = pa.array(statuses, pa.string())
    for status in pc.unique(column).to_pylist():
        if not _STATUS.fullmatch(status):
            key = table["key"][pc.index(column, status).as_py()].as_py()
            check_status(status, key)
    at = table.schema.get_field_index("status")
    table = table.set_column(at, "status", column)
    write_index(directory, table)
    return table
