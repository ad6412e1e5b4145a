"""Whether the sets that a stage reads are still what the stages before would give.

A single stage, e.g. `--stage=mix`, takes what lies there; that must not be what was
made from photos, pairs or decisions of before. An input that was removed, to save
space, is not missed.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from data.build_config import OF_PHOTOS, MethodName, SourceConfig
from data.places import TRAIN, Places
from tbstar_jax.data_engine.engine.method_stage import shard_units
from tbstar_jax.data_engine.engine.publish import is_made_from
from tbstar_jax.data_engine.store.index import INDEX
from tbstar_jax.data_engine.store.query import Query
from tbstar_jax.errors import UserError

KEPT_PHOTOS = Query()
"""The photos that construct takes."""

ANY_NOT_REJECTED = Query(statuses=("kept", "flagged"))
"""The pairs that augment takes."""


def check_photos(
    methods: Sequence[MethodName], sources: Sequence[SourceConfig], places: Places
) -> None:
    """Checks that methods which make pairs of photos will find some.

    Args:
      methods: that are to run.
      sources: that are to be collected before.
      places: where sets lie.

    Raises:
      UserError: a method needs photos, and there will be none; or a source cannot be
        told.
    """
    wanting = [name for name in methods if name in OF_PHOTOS]
    photos = places.collected("photos")
    if not wanting or (photos / INDEX).is_file():
        return
    if any(not source.spec().fields.target for source in sources):
        return
    raise UserError(
        f"{', '.join(wanting)} make pairs of photos, but there are none in {photos}"
        f"{' and none among the sources' if sources else ''}; run --stage=collect "
        "--source=FOLDER first, or choose others with --set "
        "construct.methods=studio,layout"
    )


def check_inputs(stage: str, places: Places) -> None:
    """Checks what a stage reads, and what that was made from.

    Args:
      stage: `filter`, `augment` or `mix`; the other stages read nothing that goes
        stale.
      places: where sets lie.

    Raises:
      UserError: a set is missing or was made from other inputs than there are now.
    """
    constructed = places.finished("constructed")
    if stage in ("filter", "augment", "mix"):
        photos = places.collected("photos")
        of_photos = {name: photos for name in constructed if name in OF_PHOTOS}
        _check(of_photos, constructed, KEPT_PHOTOS, "construct")
    filtered = places.finished("filtered")
    if stage in ("augment", "mix") and filtered:
        _check(places.unfiltered(required=False), filtered, None, "filter")
    augmented = places.finished("augmented")
    if stage == "mix" and augmented:
        _check(filtered, augmented, ANY_NOT_REJECTED, "augment")


def _check(
    inputs: Mapping[str, Path],
    made: Mapping[str, Path],
    query: Query | None,
    stage: str,
) -> None:
    for name, directory in inputs.items():
        if not (directory / INDEX).is_file():
            continue
        units = shard_units(directory, TRAIN, query)
        if name not in made and units:
            raise UserError(
                f"{directory} has not been through --stage={stage}, though other sets "
                f"have; run --stage={stage}"
            )
        if name in made and not is_made_from(made[name], units):
            raise UserError(
                f"{made[name]} was made from another {directory} than is there now; "
                f"run --stage={stage} --rebuild, or all stages with --stage=all "
                "--rebuild"
            )
