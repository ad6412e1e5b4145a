"""`--stage=augment`: more pairs of the measured ones, measured and decided about too.

Records that were measured keep their scores; what is made of them is measured in the
same pass.
"""

import dataclasses
import time
from pathlib import Path

from data.build_config import BuildConfig
from data.filtering import decide_set, measuring
from data.freshness import ANY_NOT_REJECTED
from data.places import TRAIN, Places
from tbstar_jax.data_engine.augment.augment_stage import AugmentStage
from tbstar_jax.data_engine.augment.chain import Chain
from tbstar_jax.data_engine.augment.compose import Compose
from tbstar_jax.data_engine.augment.identity import Identity
from tbstar_jax.data_engine.augment.invert import Invert
from tbstar_jax.data_engine.augment.paraphrase.rewrite import Paraphrase
from tbstar_jax.data_engine.augment.paste_back import PasteBack
from tbstar_jax.data_engine.augment.together import Augment
from tbstar_jax.data_engine.engine.job import Engine
from tbstar_jax.data_engine.engine.publish import read_published
from tbstar_jax.data_engine.engine.run import StageReport, run_stage
from tbstar_jax.data_engine.engine.then import OnlyNew, ThenStage
from tbstar_jax.data_engine.filter.rules import PREFIX
from tbstar_jax.data_engine.store.index import INDEX
from tbstar_jax.data_engine.vlm_roles.rewriter import VlmRewriter
from tbstar_jax.errors import UserError

_MARGIN = 2
"""Pixels between the edits that are composed."""

_PER_PHOTO = 4


def augment(
    config: BuildConfig, places: Places, engine: Engine, *, is_rebuild_allowed: bool
) -> list[StageReport]:
    """Augments every filtered set.

    Args:
      config: methods and limits.
      places: where sets lie.
      engine: what does the work.
      is_rebuild_allowed: whether finished sets of other content are replaced.

    Raises:
      UserError: nothing was filtered yet; or see `run_stage`.
    """
    sets = places.finished("filtered")
    if not sets:
        raise UserError(
            f"there are no filtered pairs below {places.root}; run --stage=filter"
        )
    reports = []
    for name, directory in sets.items():
        stage = AugmentStage(
            each=_of_each(config),
            groups=_of_groups(config),
            directory=directory,
            split=TRAIN,
            seed=config.seed,
            query=ANY_NOT_REJECTED,
        )
        measured = ThenStage(
            first=stage,
            method=OnlyNew(method=measuring(config), note=PREFIX),
            seed=config.seed,
        )
        if not stage.units():
            _check_absent(places.augmented(name), directory)
            print(f"no pair of {directory} is kept; nothing to augment there")
            continue
        report = run_stage(
            measured,
            places.augmented(name),
            name,
            TRAIN,
            engine=engine,
            is_rebuild_allowed=is_rebuild_allowed,
        )
        statuses = decide_set(config, places, report.directory)
        reports.append(dataclasses.replace(report, statuses=statuses))
    if not reports:
        raise UserError(
            f"no pair below {places.root / 'filtered'} is kept; look at the pages in "
            f"{places.reports} and at the limits, --set filter.profile.limits..."
        )
    return reports


def decide_augmented(config: BuildConfig, places: Places) -> list[StageReport]:
    """Decides again about what was augmented, by the limits of now.

    Filtering with other limits changes the sets that augmenting starts from only where
    a status of theirs changes; what was made of them has scores of its own.

    Args:
      config: limits.
      places: where sets lie.

    Returns:
      What became of every augmented set; nothing is made.

    Raises:
      UserError: a set is damaged.
    """
    reports = []
    for directory in places.finished("augmented").values():
        start = time.monotonic()
        published = read_published(directory)
        assert published is not None  # it has an index
        statuses = decide_set(config, places, directory)
        reports.append(
            StageReport(
                stage=published.stage,
                directory=directory,
                num_units=len(published.entries),
                num_made=0,
                num_records=sum(entry.num_records for entry in published.entries),
                num_rejects=sum(entry.num_rejects for entry in published.entries),
                statuses=statuses,
                seconds=time.monotonic() - start,
            )
        )
    return reports


def _check_absent(augmented: Path, filtered: Path) -> None:
    if (augmented / INDEX).is_file():
        raise UserError(
            f"no pair of {filtered} is kept any more, but {augmented} was made of such "
            "pairs; remove it"
        )


def _of_each(config: BuildConfig) -> Augment:
    settings = config.augment
    rewriter = None
    if settings.is_rewritten:
        assert config.vlm is not None  # checked with the settings
        rewriter = VlmRewriter(
            vlm=config.vlm, num_texts=settings.num_texts, seed=config.seed
        )
    return Augment(
        methods=(
            PasteBack(feather=settings.feather),
            Invert(max_bytes=config.max_instruction_bytes),
            Identity(share=settings.identity_share),
        ),
        finish=Paraphrase(
            num_texts=settings.num_texts,
            max_bytes=config.max_instruction_bytes,
            rewriter=rewriter,
        ),
    )


def _of_groups(config: BuildConfig) -> tuple[Compose, Chain]:
    settings = config.augment
    compose = Compose(
        max_edits=settings.max_edits,
        max_per_photo=_PER_PHOTO,
        margin=_MARGIN,
        num_texts=settings.num_texts,
        max_bytes=config.max_instruction_bytes,
    )
    chain = Chain(
        max_turns=settings.max_turns, max_per_photo=_PER_PHOTO, margin=_MARGIN
    )
    return compose, chain
