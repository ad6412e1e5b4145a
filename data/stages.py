"""Runs stages of `data.build` and says what came of them."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence

from data.build_config import BuildConfig
from data.freshness import check_inputs, check_photos
from data.places import Places
from tbstar_jax.config import to_json
from tbstar_jax.data_engine.engine.job import Engine, NothingMadeError
from tbstar_jax.data_engine.engine.run import StageReport
from tbstar_jax.data_engine.store.mix import Mixed
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.record_shards import write_durably

STAGES = ("collect", "construct", "filter", "augment", "mix")
"""In the order in which `all` runs them."""


def run_stages(
    names: Sequence[str],
    config: BuildConfig,
    places: Places,
    engine: Engine,
    *,
    is_rebuild_allowed: bool,
) -> None:
    """Runs stages one after the other and prints a line per set.

    Args:
      names: of `STAGES`.
      config: settings of all stages.
      places: where sets lie.
      engine: what does the work.
      is_rebuild_allowed: whether finished sets of other content are replaced.

    Raises:
      UserError: a stage lacks its input, its model or the extra `data`; or see
        `run_stage`.
    """
    _check_models(names, config)
    if "construct" in names:
        sources = config.collect.sources if "collect" in names else ()
        check_photos(config.construct.methods, sources, places)
    for name in names:
        check_inputs(name, places)
        if name == "mix":
            reports, mixed = _mix(config, places, engine, is_rebuild_allowed)
            print(stage_lines(name, reports))
            print(mixture_lines(places, mixed))
        else:
            run = _stage(name)
            reports = run(config, places, engine, is_rebuild_allowed=is_rebuild_allowed)
            if name == "filter" and "augment" not in names:
                from data.augmenting import decide_augmented

                reports += decide_augmented(config, places)
            print(stage_lines(name, reports))
        places.configs.mkdir(exist_ok=True)
        text = to_json(config)
        write_durably(places.configs / f"{name}.json", text.encode())


def _check_models(names: Sequence[str], config: BuildConfig) -> None:
    """Loads the models of all stages once: no hours of work before a wrong file."""
    used = (
        (("collect",), config.collect.aesthetic),
        (("construct",), config.construct.expert.segmenter),
        (("filter", "augment"), config.filter.embedder),
    )
    for stages, model in used:
        if model is not None and not set(stages).isdisjoint(names):
            with model.open():
                pass


def _stage(name: str) -> Callable[..., list[StageReport]]:
    # Imported when it runs: a stage needs packages that others do without.
    try:
        match name:
            case "collect":
                from data.collecting import collect

                return collect
            case "construct":
                from data.constructing import construct

                return functools.partial(_each_method, construct)
            case "filter":
                from data.filtering import filter_pairs

                return filter_pairs
            case _:
                from data.augmenting import augment

                return augment
    except ModuleNotFoundError as error:
        if error.name != "cv2":
            raise
        raise UserError(
            f"--stage={name} measures and edits with OpenCV: pip install -e '.[data]'"
        ) from error


def _each_method(
    construct: Callable[..., list[StageReport]],
    config: BuildConfig,
    places: Places,
    engine: Engine,
    *,
    is_rebuild_allowed: bool,
) -> list[StageReport]:
    """A method that can make no pair of these photos does not end the others."""
    reports = []
    failures = []
    for name in config.construct.methods:
        alone = dataclasses.replace(config.construct, methods=(name,))
        one = dataclasses.replace(config, construct=alone)
        try:
            reports += construct(
                one, places, engine, is_rebuild_allowed=is_rebuild_allowed
            )
        except NothingMadeError as error:
            failures.append(error)
            print(f"no pairs by {name}: {error}")
    if not reports:
        raise failures[0]
    return reports


def _mix(
    config: BuildConfig, places: Places, engine: Engine, is_rebuild_allowed: bool
) -> tuple[list[StageReport], dict[str, Mixed | UserError]]:
    from data.mixing import mix

    return mix(config, places, engine, is_rebuild_allowed=is_rebuild_allowed)


def stage_lines(name: str, reports: Sequence[StageReport]) -> str:
    """A table: one line per set, with its records by status."""
    rows = [("set", "records", "rejects", "seconds", "statuses")]
    for one in reports:
        place = f"{one.directory.parent.name}/{one.directory.name}"
        seconds = "kept" if one.num_made == 0 else f"{one.seconds:.1f}"
        statuses = ", ".join(f"{key} {count}" for key, count in one.statuses.items())
        records, rejects = str(one.num_records), str(one.num_rejects)
        rows.append((place, records, rejects, seconds, statuses))
    return f"{name}\n{_table(rows)}"


def mixture_lines(places: Places, mixed: Mapping[str, Mixed | UserError]) -> str:
    """A table per mixture: part, set, weight, records and their languages."""
    lines = []
    for name, one in mixed.items():
        if isinstance(one, UserError):
            lines.append(f"no mixture {name}: {one}")
            continue
        rows = [("part", "set", "weight", "records", "en", "zh")]
        for part in one.parts:
            counts = (str(part.num_records), str(part.num_en), str(part.num_zh))
            rows.append((part.part, part.directory.name, f"{part.weight:.3f}", *counts))
        lines.append(f"{places.mixtures / name}.json\n{_table(rows)}")
        if one.num_too_long:
            lines.append(
                f"{one.num_too_long} more pairs have an instruction that is too long "
                "(mix.max_instruction_bytes)"
            )
        lines.append(f'--set "data.mixture=$(cat {places.setting(name)})"')
    return "\n".join(lines)


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    )
