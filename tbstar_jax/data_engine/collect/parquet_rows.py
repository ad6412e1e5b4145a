"""Parquet as rows, as the Hugging Face hub stores sets.

Image columns hold `{bytes, path}`, raw bytes, or paths. Only the columns that are
mapped are read.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tbstar_jax.data_engine.collect.rows import Files, Row
from tbstar_jax.data_engine.stage import Reject
from tbstar_jax.errors import UserError

_BATCH_ROWS = 32
_MAX_GROUP_BYTES = 16 * 2**30
_BROKEN = (pa.ArrowException, OSError, ValueError, MemoryError)


class ParquetRows:
    """The rows of one file, over all its row groups."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        files: Files,
        names: Sequence[str],
        image_names: Sequence[str],
    ):
        """Reads the footer.

        Args:
          path: the file.
          files: the images that rows name.
          names: columns to read; those that the file lacks are left out.
          image_names: columns that hold images.

        Raises:
          UserError: the file is damaged or no parquet.
        """
        self.files = files
        self._path = Path(path)
        try:
            with pq.ParquetFile(path) as file:
                groups = [
                    file.metadata.row_group(k)
                    for k in range(file.metadata.num_row_groups)
                ]
                self._lengths = [group.num_rows for group in groups]
                self._sizes = [group.total_byte_size for group in groups]
                schema = file.schema_arrow
        except _BROKEN as error:
            raise UserError(
                f"{path} is damaged or no parquet file ({_short(error)})"
            ) from error
        self._columns = [name for name in schema.names if name in set(names)]
        self.names_files = any(
            _is_text(schema.field(name).type)
            for name in image_names
            if name in schema.names
        )

    def __len__(self) -> int:
        """Number of rows."""
        return sum(self._lengths)

    def read(self, start: int, stop: int) -> Iterator[Row | Reject]:
        """Reads rows `start` up to `stop`, a batch of few rows at a time."""
        first = 0
        for group, length in enumerate(self._lengths):
            begin, end = max(start, first) - first, min(stop, first + length) - first
            if begin < end:
                yield from self._group(group, first, begin, end)
            first += length

    def _group(
        self, group: int, first: int, begin: int, end: int
    ) -> Iterator[Row | Reject]:
        """Reads rows `begin` up to `end` of a group whose row 0 is number `first`."""
        done = begin
        try:
            if self._sizes[group] > _MAX_GROUP_BYTES:
                raise UserError(f"it declares {self._sizes[group]} bytes")
            with pq.ParquetFile(self._path) as file:
                position = 0
                for batch in file.iter_batches(
                    _BATCH_ROWS, row_groups=[group], columns=self._columns
                ):
                    inside = range(
                        max(begin - position, 0), min(end - position, batch.num_rows)
                    )
                    for k in inside:
                        yield self._row(first + position + k, batch, k)
                        done = position + k + 1
                    position += batch.num_rows
                    if position >= end:
                        return
        except _BROKEN as error:
            yield Reject(
                row=f"{self._path.name} rows {first + done} to {first + end - 1}",
                reason=f"row group {group} is not readable ({_short(error)})",
            )

    def _row(self, number: int, batch: pa.RecordBatch, index: int) -> Row | Reject:
        place = f"{self._path.name} row {number}"
        try:
            values = {
                name: column[index].as_py()
                for name, column in zip(batch.schema.names, batch.columns, strict=True)
            }
        except (pa.ArrowException, ValueError) as error:
            return Reject(row=place, reason=f"not readable ({_short(error)})")
        return Row(place=place, values=values)


def _is_text(kind: Any) -> bool:
    while pa.types.is_list(kind) or pa.types.is_large_list(kind):
        kind = kind.value_type
    if pa.types.is_struct(kind):
        # `{bytes, path}` holds its image; other structs may hold names.
        names = {kind.field(k).name for k in range(kind.num_fields)}
        return "bytes" not in names
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
