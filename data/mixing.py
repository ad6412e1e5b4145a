"""`--stage=mix`: the held-out set, and what each training stage takes of the rest.

Scenes are held out, never pairs: whatever shows the same thing is on one side.
"""

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data.build_config import BuildConfig, MixConfig
from data.places import TRAIN, Places
from tbstar_jax.data_engine.engine.job import Engine
from tbstar_jax.data_engine.engine.run import StageReport, run_stage
from tbstar_jax.data_engine.stage import Made, Unit, Worker, fingerprint_of
from tbstar_jax.data_engine.store.index import read_index
from tbstar_jax.data_engine.store.mix import (
    Mixed,
    held_out_scenes,
    mixture_entries,
    write_mixture,
)
from tbstar_jax.data_engine.store.mixtures import STAGE1, STAGE2, Mixture
from tbstar_jax.data_engine.store.query import Query, select_rows
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.record_shards import write_durably
from tbstar_jax.input_pipeline.records import RecordSource

TEST = "test"


def mix(
    config: BuildConfig, places: Places, engine: Engine, *, is_rebuild_allowed: bool
) -> tuple[list[StageReport], dict[str, Mixed | UserError]]:
    """Writes the held-out set and both mixtures.

    Args:
      config: what is held out.
      places: where sets lie.
      engine: what does the work.
      is_rebuild_allowed: whether a finished held-out set of other content is replaced.

    Returns:
      What was done for the held-out set, and every mixture by name, or why there is
      none.

    Raises:
      UserError: nothing was filtered yet, or no mixture finds a pair.
    """
    sets = places.finished("augmented") or places.finished("filtered")
    if not sets:
        raise UserError(
            f"there are no filtered pairs below {places.root}; run --stage=filter"
        )
    reports = []
    held_out = [(path, TEST) for path in config.mix.held_out]
    if config.mix.test_share > 0:
        stage = HeldOutStage(
            sets=tuple(sets.items()),
            share=config.mix.test_share,
            max_instruction_bytes=config.mix.max_instruction_bytes,
        )
        reports.append(
            run_stage(
                stage,
                places.held_out,
                "heldout",
                TEST,
                engine=engine,
                is_rebuild_allowed=is_rebuild_allowed,
            )
        )
    scenes = held_out_scenes(held_out) | _test_scenes(sets, config.mix.test_share)
    mixed: dict[str, Mixed | UserError] = {}
    for mixture in (STAGE1, STAGE2):
        mixture = _narrowed(mixture, config.mix)
        try:
            mixed[mixture.name] = write_mixture(
                mixture, list(sets.values()), TRAIN, places.mixtures, scenes
            )
            _write_setting(places, mixture.name)
        except UserError as error:
            mixed[mixture.name] = error
            # One of an earlier run would go on offering pairs that are out now.
            (places.mixtures / f"{mixture.name}.json").unlink(missing_ok=True)
            places.setting(mixture.name).unlink(missing_ok=True)
    failures = [one for one in mixed.values() if isinstance(one, UserError)]
    if len(failures) == len(mixed):
        raise failures[0]
    return reports, mixed


def _write_setting(places: Places, name: str) -> None:
    """The mixture once more, as `--set data.mixture=...` of training takes it."""
    entries = [
        {"path": one.path, "weight": one.weight, "selection": one.selection}
        for one in mixture_entries(places.mixtures / f"{name}.json")
    ]
    write_durably(places.setting(name), json.dumps(entries).encode())


def _narrowed(mixture: Mixture, config: MixConfig) -> Mixture:
    """The mixture with the conditions that hold for all of its parts."""
    conditions: dict[str, Any] = {
        "max_instruction_bytes": config.max_instruction_bytes,
        "is_commercial_only": config.is_commercial_only,
    }
    parts = tuple(
        dataclasses.replace(part, query=dataclasses.replace(part.query, **conditions))
        for part in mixture.parts
    )
    return dataclasses.replace(mixture, parts=parts)


def _test_scenes(sets: Mapping[str, Path], share: float) -> frozenset[str]:
    scenes: set[str] = set()
    for directory in sets.values():
        scenes.update(read_index(directory)["scene"].to_pylist())
    return frozenset(scene for scene in scenes if is_held_out(scene, share))


def is_held_out(scene: str, share: float) -> bool:
    """Whether a scene belongs to the held-out share, by its name alone."""
    digest = hashlib.sha256(f"held out {scene}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeldOutStage:
    """Copies the kept pairs of held-out scenes; one unit per set.

    Attributes:
      sets: name and directory of each.
      share: of the scenes.
      max_instruction_bytes: longest instruction of a pair, in UTF-8; None: no limit.
    """

    sets: tuple[tuple[str, Path], ...]
    share: float
    max_instruction_bytes: int | None = None

    @property
    def name(self) -> str:
        """`held_out`."""
        return "held_out"

    @property
    def fingerprint(self) -> str:
        """Names the share; the pairs are in the units."""
        return fingerprint_of(self.name, 1, {"share": self.share})

    def units(self) -> Sequence[Unit]:
        """One per set that has such a pair."""
        made = []
        for name, directory in self.sets:
            table = read_index(directory)
            scenes = table["scene"].to_pylist()
            query = Query(max_instruction_bytes=self.max_instruction_bytes)
            kept = select_rows(table, query).tolist()
            rows = [row for row in kept if is_held_out(scenes[row], self.share)]
            if rows:
                fingerprint = RecordSource(directory, TRAIN).fingerprint
                digest = hashlib.sha256(json.dumps([fingerprint, rows]).encode())
                payload = (directory, tuple(rows))
                made.append(Unit(name=name, digest=digest.hexdigest(), payload=payload))
        if not made:
            raise UserError(
                f"no kept pair is of a held-out scene at mix.test_share={self.share}; "
                "raise it, or set it to 0 and name a held-out set in mix.held_out"
            )
        return made

    @contextlib.contextmanager
    def open(self) -> Iterator[Worker]:
        """Nothing needs to be loaded."""

        def work(unit: Unit) -> Iterable[Made]:
            directory, rows = unit.payload
            source = RecordSource(directory, TRAIN)
            return (source[row] for row in rows)

        yield work
