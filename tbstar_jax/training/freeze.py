"""What a stage trains: one collection, or a subset of it by path rules.

Partition *before* `grad`: the loss is differentiated with respect to the trainable tree
alone, so no gradient, optimizer state, clip or log can touch a frozen leaf.
"""

import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from tbstar_jax.array_types import Tree, Variables
from tbstar_jax.errors import UserError
from tbstar_jax.trees import describe, flatten, list_names, match_rules, unflatten

_log = logging.getLogger(__name__)

STAGE_COLLECTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "autoencoder": ("vae",),
        "pretrain": ("params", "conditioner"),
        "stage1": ("pattern_shifting",),
        "stage2": ("consistency",),
    }
)
"""Stage to the collections it may train; everything else is frozen."""

TRAIN_ALL = ((".*", True),)
"""The rule that trains every leaf of the stage's collections."""


class Partition(NamedTuple):
    """Two disjoint trees which together hold every leaf.

    Attributes:
      trainable: collection to tree, without the collections nothing of which trains.
      frozen: the same for all other leaves.
    """

    trainable: Variables
    frozen: Variables


def partition(
    variables: Variables, stage: str, rules: Sequence[tuple[str, bool]] = TRAIN_ALL
) -> Partition:
    """Splits variables into what a stage trains and what it leaves alone.

    Args:
      variables: collection to tree, arrays or their shapes.
      stage: a key of `STAGE_COLLECTIONS`.
      rules: ordered (path regex, is trainable) pairs over the names inside the stage's
        collections, such as `pattern_shifting/blocks/.*`; the first match wins, every
        name must match and every rule must be used.

    Raises:
      UserError: an unknown stage, a collection that is absent, a rule or name without a
        partner, or nothing left to train.
    """
    if stage not in STAGE_COLLECTIONS:
        known = ", ".join(STAGE_COLLECTIONS)
        raise UserError(f"there is no stage {stage!r}; it must be one of {known}")
    collections = STAGE_COLLECTIONS[stage]
    absent = [name for name in collections if name not in variables]
    if absent:
        raise UserError(
            f"{stage} trains {list_names(absent)}, but the model has only "
            f"{list_names(sorted(variables))}"
        )
    leaves = flatten(variables)
    candidates = [n for n in leaves if n.partition("/")[0] in collections]
    is_trainable = match_rules(candidates, rules)
    trainable = {n: leaf for n, leaf in leaves.items() if is_trainable.get(n, False)}
    frozen = {n: leaf for n, leaf in leaves.items() if not is_trainable.get(n, False)}
    if not trainable:
        raise UserError(
            f"the rules of {stage} leave nothing to train in {list_names(collections)}"
        )
    return Partition(unflatten(trainable), unflatten(frozen))


def merge(trainable: Tree, frozen: Tree) -> Variables:
    """Puts the two halves of a `Partition` together again.

    Raises:
      UserError: a leaf that is in both halves.
    """
    left, right = flatten(trainable), flatten(frozen)
    overlap = sorted(left.keys() & right.keys())
    if overlap:
        raise UserError(
            f"{list_names(overlap)} would be both trained and frozen; a leaf belongs "
            "to one half"
        )
    return unflatten({**left, **right})


def log_partition(parts: Partition) -> None:
    """Logs counts and bytes of both halves, by collection."""
    for half, variables in (("trainable", parts.trainable), ("frozen", parts.frozen)):
        for collection, tree in variables.items():
            _log.info("%s %s: %s", half, collection, describe(tree))
