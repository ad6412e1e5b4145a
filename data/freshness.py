"""Whether the sets that a stage reads are still what the stages before would give.

A single stage, e.g. `--stage=mix`, takes what lies there; that must not be what was
made from photos, pairs or decisions of before. An input that was removed, to save
space, is not missed.
"""

from collections.abc import Mapping
from pathlib import Path

from data.build_config import OF_PHOTOS
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
