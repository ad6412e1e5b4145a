"""`--stage=collect`: sources become photos and pairs, measured, duplicates told."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
from tqdm import tqdm

from data.build_config import BuildConfig
from data.places import TRAIN, Places
from tbstar_jax.array_types import Bool
from tbstar_jax.data_engine.annotate import KEPT
from tbstar_jax.data_engine.collect.collect_stage import CollectStage
from tbstar_jax.data_engine.collect.dedup import dedup_by
from tbstar_jax.data_engine.collect.hash_index import hash_records
from tbstar_jax.data_engine.collect.quality import Quality
from tbstar_jax.data_engine.engine.job import Engine
from tbstar_jax.data_engine.engine.method_stage import MethodStage
from tbstar_jax.data_engine.engine.run import StageReport, run_stage
from tbstar_jax.data_engine.engine.then import ThenStage
from tbstar_jax.data_engine.scale import Scale
from tbstar_jax.data_engine.store.index import (
    INDEX,
    read_index,
    score_columns,
    write_statuses,
)
from tbstar_jax.data_engine.store.summary import read_status_counts
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.records import EditRecord, RecordSource

_KINDS = ("photos", "pairs")


def collect(
    config: BuildConfig, places: Places, engine: Engine, *, is_rebuild_allowed: bool
) -> list[StageReport]:
    """Reads all sources.

    Args:
      config: sources and limits.
      places: where sets lie.
      engine: what does the work.
      is_rebuild_allowed: whether finished sets of other content are replaced.

    Raises:
      UserError: no source, one that cannot be read, or see `run_stage`.
    """
    specs = [source.spec() for source in config.collect.sources]
    if not specs:
        raise UserError(
            "there is nothing to collect; name a folder of photos or a set of pairs "
            "with --source=PATH or --set 'collect.sources=[{\"path\":...}]'"
        )
    by_kind = {
        "photos": tuple(spec for spec in specs if not spec.fields.target),
        "pairs": tuple(spec for spec in specs if spec.fields.target),
    }
    reports = []
    for kind, chosen in by_kind.items():
        if not chosen:
            continue
        read = CollectStage(
            sources=chosen,
            rows_per_unit=config.collect.rows_per_shard,
            keep_alpha=config.collect.keeps_alpha,
        )
        aesthetic = config.collect.aesthetic
        quality = Quality(scorers=() if aesthetic is None else (aesthetic,))
        measured = ThenStage(first=read, method=quality, seed=config.seed)
        stage = ThenStage(
            first=measured,
            method=Scale(max_pixels=config.collect.max_pixels),
            seed=config.seed,
        )
        place = places.collected(f"read-{kind}")
        report = run_stage(
            stage,
            place,
            kind,
            TRAIN,
            engine=engine,
            is_rebuild_allowed=is_rebuild_allowed,
        )
        reports.append(report)
    return reports + _deduplicate(config, places, engine, is_rebuild_allowed)


def _deduplicate(
    config: BuildConfig, places: Places, engine: Engine, is_rebuild_allowed: bool
) -> list[StageReport]:
    """Photos and pairs are hashed together: what shows the same is one scene."""
    read = [kind for kind in _KINDS if (_read(places, kind) / INDEX).is_file()]
    sources = {kind: RecordSource(_read(places, kind), TRAIN, kind) for kind in read}
    hashes = _hashes(places, tuple(sources.values()))
    method = dedup_by(hashes, max_distance=config.collect.max_distance)
    reports = []
    for kind in read:
        stage = MethodStage(
            method=method,
            directory=_read(places, kind),
            split=TRAIN,
            seed=config.seed,
        )
        place = places.collected(kind)
        report = run_stage(
            stage,
            place,
            kind,
            TRAIN,
            engine=engine,
            is_rebuild_allowed=is_rebuild_allowed,
        )
        if kind == "photos":
            _reject_poor(config, place)
            statuses = read_status_counts(place)
            report = dataclasses.replace(report, statuses=statuses)
        reports.append(report)
    return reports


def _hashes(places: Places, sources: Sequence[RecordSource]) -> Path:
    """The index of the hashes of all records, kept as long as they do not change.

    Taking it reads every file once more.
    """
    names = json.dumps([source.fingerprint for source in sources])
    digest = hashlib.sha256(names.encode()).hexdigest()[:16]
    path = places.collected(f"hashes-{digest}.npz")
    if not path.is_file():
        for old in path.parent.glob("hashes-*.npz"):
            old.unlink()
        total = sum(map(len, sources))
        with tqdm(desc="hashes", unit="record", total=total, disable=None) as progress:
            hash_records(_counted(sources, progress)).save(path)
    return path


def _counted(
    sources: Sequence[RecordSource], progress: "tqdm[NoReturn]"
) -> Iterator[EditRecord]:
    for source in sources:
        for row in range(len(source)):
            yield source[row]
            progress.update()


def _read(places: Places, kind: str) -> Path:
    return places.collected(f"read-{kind}")


def _reject_poor(config: BuildConfig, photos: Path) -> None:
    """Statuses of photos from their scores; decided anew at every run, in the index."""
    table = read_index(photos)
    scores = score_columns(table)
    limits = config.collect
    sides = np.minimum(scores["rows"], scores["columns"])
    aspect = np.maximum(scores["aspect"], 1 / scores["aspect"])
    rules: list[tuple[str, Bool[np.ndarray, " n"]]] = [
        ("small", sides < limits.min_side),
        ("aspect", aspect > limits.max_aspect),
        ("blurred", scores["sharpness"] < limits.min_sharpness),
    ]
    if limits.min_aesthetic is not None:
        nowhere = np.full(len(sides), np.nan)
        # Not the opposite comparison: it would keep a photo without a score.
        is_pleasing = scores.get("aesthetic", nowhere) >= limits.min_aesthetic
        rules.append(("aesthetic", ~is_pleasing))
    statuses = np.asarray(table["made_status"].to_pylist(), object)
    is_ours = ~np.strings.startswith(statuses.astype(str), "rejected")
    statuses[is_ours] = KEPT
    for name, is_broken in reversed(rules):
        # Backwards, so that the first rule names the status.
        statuses[is_ours & is_broken] = f"rejected:{name}"
    write_statuses(photos, table, statuses)
