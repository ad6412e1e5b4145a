"""`--stage=filter`: pairs are measured once, and decided about as often as one likes.

Measuring reads every picture; deciding reads columns of the index and takes seconds for
a million pairs. A second run with other limits decides alone.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa

from data.build_config import BuildConfig
from data.places import TRAIN, Places
from tbstar_jax.array_types import Int, Shaped
from tbstar_jax.data_engine.engine.job import Engine
from tbstar_jax.data_engine.engine.method_stage import MethodStage
from tbstar_jax.data_engine.engine.run import StageReport, run_stage
from tbstar_jax.data_engine.filter.decide import decide
from tbstar_jax.data_engine.filter.method import MeasurePairs
from tbstar_jax.data_engine.filter.report import write_report
from tbstar_jax.data_engine.filter.text import Tesseract
from tbstar_jax.data_engine.store.index import (
    read_index,
    score_columns,
    write_statuses,
)
from tbstar_jax.data_engine.store.summary import read_status_counts
from tbstar_jax.data_engine.vlm_roles.pair_judge import VlmPairJudge
from tbstar_jax.input_pipeline.records import RecordSource


def filter_pairs(
    config: BuildConfig, places: Places, engine: Engine, *, is_rebuild_allowed: bool
) -> list[StageReport]:
    """Measures and decides about all pairs that were collected and constructed.

    Args:
      config: limits and tools.
      places: where sets lie.
      engine: what does the work.
      is_rebuild_allowed: whether finished sets of other content are replaced.

    Raises:
      UserError: there are no pairs; or see `run_stage`.
    """
    reports = []
    for name, directory in places.unfiltered().items():
        stage = MethodStage(
            method=measuring(config), directory=directory, split=TRAIN, seed=config.seed
        )
        report = run_stage(
            stage,
            places.filtered(name),
            name,
            TRAIN,
            engine=engine,
            is_rebuild_allowed=is_rebuild_allowed,
        )
        statuses = decide_set(config, places, report.directory)
        reports.append(dataclasses.replace(report, statuses=statuses))
    return reports


def measuring(config: BuildConfig) -> MeasurePairs:
    """The method that measures."""
    languages = config.filter.ocr_languages
    reader = None if languages is None else Tesseract(languages=languages)
    embedder = config.filter.embedder
    if not config.filter.is_judged:
        return MeasurePairs(reader=reader, embedder=embedder)
    assert config.vlm is not None  # checked with the settings
    return MeasurePairs(
        reader=reader,
        embedder=embedder,
        judge=VlmPairJudge(vlm=config.vlm, seed=config.seed),
        num_threads=config.vlm.server.max_concurrency,
    )


def decide_set(config: BuildConfig, places: Places, directory: Path) -> dict[str, int]:
    """Gives every pair of a measured set its status, and writes the page about it.

    A pair that its method flagged or rejected stays so; a rule can only be stricter.

    Args:
      config: limits.
      places: where the page goes.
      directory: of the set; its index changes, and nothing else.

    Returns:
      Pairs by status.
    """
    table = read_index(directory)
    tasks = table["task"].to_numpy().astype(str)
    scores, profile = score_columns(table), config.filter.profile
    made = table["made_status"].to_numpy()
    rules = decide(scores, tasks, profile)
    statuses = np.where(_severities(rules) > _severities(made), rules, made)
    write_statuses(directory, table, statuses)
    places.reports.mkdir(parents=True, exist_ok=True)
    write_report(
        places.reports / f"{directory.parent.name}-{directory.name}.html",
        RecordSource(directory, TRAIN).__getitem__,
        table["key"].to_pylist(),
        scores,
        tasks,
        profile,
        config.filter.num_examples,
        statuses,
    )
    return read_status_counts(directory)


def _severities(statuses: Shaped[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Kept below flagged below rejected."""
    kinds = ("kept", "flagged", "rejected")
    # Sorting a million texts would take seconds.
    encoded = pa.array(statuses, pa.string()).dictionary_encode()
    names = encoded.dictionary.to_pylist()
    severities = np.array([kinds.index(name.partition(":")[0]) for name in names])
    return severities[encoded.indices.to_numpy()]
