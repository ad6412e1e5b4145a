"""Collecting as a stage: a range of rows becomes a shard of records and rejects.

A row that cannot become a record is named in the ledger of rejects, a container that
does not open likewise, and the run goes on. A key begins with 32 digits of the content
and ends with 8 of the row, so that equal rows are two records; `dedup` tells them.
"""

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from tbstar_jax.data_engine.collect.assemble import assemble, origin_of
from tbstar_jax.data_engine.collect.field_map import lookup
from tbstar_jax.data_engine.collect.rows import (
    Row,
    Rows,
    content_digest,
    printable,
)
from tbstar_jax.data_engine.collect.source import (
    SourceSpec,
    open_part,
    part_path,
    parts,
)
from tbstar_jax.data_engine.stage import (
    Made,
    Reject,
    Unit,
    Worker,
    fingerprint_of,
)
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.records import EditRecord

_VERSION = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class RowRange:
    """What a unit of collecting is made from.

    Attributes:
      source: number of the source.
      part: its container.
      start: first row.
      stop: one behind the last row.
      problem: why the container cannot be opened; empty when it can.
    """

    source: int
    part: str
    start: int
    stop: int
    problem: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CollectStage:
    """Reads sources into records of photos and pairs.

    Attributes:
      sources: what to read, in order.
      rows_per_unit: rows per shard.
      keep_alpha: keep transparency in the stored files, for cut-outs; see `fit_image`.
    """

    sources: tuple[SourceSpec, ...]
    rows_per_unit: int = 512
    keep_alpha: bool = False

    def __post_init__(self) -> None:
        if not self.sources:
            raise UserError("there is no source to collect from")
        if len({_is_for_photos(source) for source in self.sources}) > 1:
            raise UserError(
                "some sources hold photos and some pairs; collect each kind into a set "
                "of its own"
            )
        if self.rows_per_unit < 1:
            raise UserError(
                f"rows_per_unit is {self.rows_per_unit}, but must be at least 1"
            )

    @property
    def name(self) -> str:
        """The stage's name."""
        return "collect"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of how rows are understood; where they lie is in the units."""
        settings = [
            {
                **dataclasses.asdict(source),
                "path": origin_of(source),
                "images": bool(source.images),
            }
            for source in self.sources
        ]
        return fingerprint_of(
            self.name, _VERSION, {"sources": settings, "keep_alpha": self.keep_alpha}
        )

    def units(self) -> Sequence[Unit]:
        """Ranges of rows, source by source, container by container.

        Raises:
          UserError: a source is not there, has no row, or its first readable row has
            none of the columns that are needed.
        """
        units: list[Unit] = []
        for number, source in enumerate(self.sources):
            before = len(units)
            for index, part in enumerate(parts(source)):
                units += self._part_units(number, index, part)
            if len(units) == before:
                raise UserError(f"{source.path} holds no row to collect")
        return units

    def _part_units(self, number: int, index: int, part: str) -> Iterator[Unit]:
        source = self.sources[number]

        def unit(payload: RowRange, digest: str) -> Unit:
            name = f"{number:03d}-{index:06d}-{payload.start:09d}"
            return Unit(name=name, digest=digest, payload=payload)

        container = _container_digest(source, part)
        whole = RowRange(source=number, part=part, start=0, stop=0)
        try:
            rows = open_part(source, part)
            if index == 0:
                _check_columns(rows, source)
        except _FieldMapError as error:
            raise UserError(str(error)) from error
        except UserError as error:
            problem = dataclasses.replace(whole, problem=str(error))
            yield unit(problem, _digest(source, problem, container, None))
            return
        for start in range(0, len(rows), self.rows_per_unit):
            stop = min(start + self.rows_per_unit, len(rows))
            payload = dataclasses.replace(whole, start=start, stop=stop)
            yield unit(payload, _digest(source, payload, container, rows))

    @contextlib.contextmanager
    def open(self) -> Iterator[Worker]:
        """Opens containers when they are first met, and keeps the last few open."""
        opened = functools.lru_cache(maxsize=4)(
            lambda source, part: open_part(self.sources[source], part)
        )

        def work(unit: Unit) -> Iterable[Made]:
            yield from self._made(unit.payload, opened)

        yield work

    def _named(self, record: EditRecord, source: int) -> EditRecord:
        """Adds to the content's key which row it came from: a row may be repeated."""
        origin = origin_of(self.sources[source])
        namesakes = sum(origin_of(one) == origin for one in self.sources[:source])
        place = json.dumps([origin, namesakes, record.provenance["row"]])
        suffix = hashlib.sha256(place.encode()).hexdigest()[:8]
        return dataclasses.replace(record, key=f"{record.key}-{suffix}")

    def _made(
        self, payload: RowRange, opened: Callable[[int, str], Rows]
    ) -> Iterator[Made]:
        source = self.sources[payload.source]
        path = part_path(source, payload.part)
        folder, name = os.path.dirname(payload.part), path.name
        if folder:
            name = f"{folder}/{name}"
        if payload.problem:
            yield Reject(row=printable(name), reason=printable(payload.problem))
            return
        try:
            rows = opened(payload.source, payload.part)
        except UserError as error:
            yield Reject(row=printable(name), reason=printable(str(error)))
            return
        for row in rows.read(payload.start, payload.stop):
            if isinstance(row, Reject):
                place = os.path.join(folder, row.row)
                yield Reject(row=printable(place), reason=printable(row.reason))
            else:
                place = printable(os.path.join(folder, row.place))
                placed = Row(place=place, values=row.values)
                for made in assemble(placed, rows.files, source, self.keep_alpha):
                    if isinstance(made, EditRecord):
                        yield self._named(made, payload.source)
                    else:
                        yield Reject(row=made.row, reason=printable(made.reason))


def _is_for_photos(source: SourceSpec) -> bool:
    return not source.fields.target


class _FieldMapError(UserError):
    """The source as a whole is not what its field map says."""


def _check_columns(rows: Rows, source: SourceSpec) -> None:
    """Meets a wrong field map before a million rows are rejected for it."""
    fields = source.fields
    needed = (*fields.source[:1], fields.target, fields.turns)
    for row in rows.read(0, min(len(rows), 8)):
        if isinstance(row, Reject):
            continue
        if not any(lookup(row.values, name) for name in needed):
            has = ", ".join(sorted(map(str, row.values)))[:500]
            raise _FieldMapError(
                f"{row.place} of {source.path} has none of the columns "
                f"{', '.join(filter(None, needed))}; it has {has}"
            )
        return


def _container_digest(source: SourceSpec, part: str) -> str:
    """Names the content of a container; empty where rows name all of it."""
    path = part_path(source, part)
    if path.is_file():
        return content_digest(path)
    if source.format == "tfds":
        files = sorted(file for file in path.iterdir() if file.is_file())
        return " ".join(f"{file.name} {content_digest(file)}" for file in files)
    return ""


def _digest(
    source: SourceSpec, payload: RowRange, container: str, rows: Rows | None
) -> str:
    """SHA-256 of the container, the range, and the files its rows name."""
    settled = dataclasses.replace(payload, problem="")
    text = json.dumps([*dataclasses.astuple(settled), container])
    digest = hashlib.sha256(text.encode())
    if rows is not None and rows.names_files:
        for row in rows.read(payload.start, payload.stop):
            for name, content in _named_files(row, rows, source):
                digest.update(f"{name}\n{content}\n".encode(errors="surrogatepass"))
    return digest.hexdigest()


def _named_files(
    row: Row | Reject, rows: Rows, source: SourceSpec
) -> Iterator[tuple[str, str]]:
    if isinstance(row, Reject):
        yield row.row, row.reason
        return
    # A folder's captions have no table that holds them.
    yield row.place, str(row.values.get("caption", ""))
    for turn in (*lookup(row.values, source.fields.turns), row.values):
        for column in source.fields.image_columns():
            for value in lookup(turn, column) if isinstance(turn, dict) else ():
                if isinstance(value, str):
                    yield value, rows.files.digest(value)
