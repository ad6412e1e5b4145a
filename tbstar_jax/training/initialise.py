"""Where the weights of a run come from, in one order.

    resume > previous stage > converted weights > random

Each collection comes as a whole from the first source that has it. A checkpoint of this
run replaces the whole training state; the frozen collections always come from the other
three. What came from where is logged by collection, path and count.
"""

import dataclasses
import functools
import hashlib
import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import jax.numpy as jnp

from tbstar_jax.array_types import Tree, Variables
from tbstar_jax.checkpoint import (
    Checkpoints,
    abstract_like,
    read_metadata,
    restore_checkpoint,
    saved_steps,
)
from tbstar_jax.errors import UserError
from tbstar_jax.training.freeze import log_partition, partition
from tbstar_jax.training.step import TrainState
from tbstar_jax.trees import (
    checksums,
    describe,
    flatten,
    require_same_structure,
    unflatten,
)

_log = logging.getLogger(__name__)

CHECKPOINTS = "checkpoints"
"""Name of the checkpoint directory inside a run's workdir."""

Origin: TypeAlias = Literal["resume", "previous stage", "converted weights", "random"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class WeightSource:
    """Collections that can be loaded from one place.

    Attributes:
      origin: how the place ranks.
      path: where it is, for the log.
      load: collection to a function that returns its tree of arrays, called only for
        the collections that are taken from here.
    """

    origin: Origin
    path: str
    load: Mapping[str, Callable[[], Tree]]


class Initialised(NamedTuple):
    """What a run starts with.

    Attributes:
      state: the training state, on its devices.
      frozen: collection to tree, everything that is not trained.
      data_iterator_state: of the checkpoint, None for a fresh run.
      origins: collection to the place its weights came from.
      metadata: what this run's checkpoints must say to be resumed: the `expected`
        entries, `config`, `first_step` and `previous_identity`.
    """

    state: TrainState
    frozen: Variables
    data_iterator_state: dict[str, Any] | None
    origins: dict[str, Origin]
    metadata: dict[str, Any]


def initialise(
    abstract_variables: Variables,
    *,
    stage: str,
    rules: Sequence[tuple[str, bool]],
    sources: Sequence[WeightSource],
    make_state: Callable[[Tree], TrainState],
    checkpoints: Checkpoints,
    expected: Mapping[str, Any],
    config: Mapping[str, Any],
    first_step: int,
) -> Initialised:
    """Fills every collection and makes or restores the training state.

    Args:
      abstract_variables: collection to tree of shapes: what must be filled.
      stage: what is trained.
      rules: see `freeze.partition`.
      sources: in the order previous stage, converted weights, random, with absent ones
        left out.
      make_state: trainable tree to a fresh state on its devices; must not depend on
        values for its structure and shardings.
      checkpoints: of this run; where it holds one, the run is resumed.
      expected: metadata a checkpoint of this run must have: stage, preset, base.
      config: `config.to_dict` of this run; see `require_same_config`.
      first_step: from `first_step`.

    Raises:
      UserError: a collection no source has, one whose structure differs, or a
        checkpoint that cannot be read or is of another run.
    """
    is_resuming = checkpoints.latest_step() is not None
    if is_resuming:
        stored = read_metadata(checkpoints.directory)
        require_same_config(stored.get("config", {}), config)
    variables, origins = _load_variables(abstract_variables, sources)
    required = {
        **expected,
        "first_step": first_step,
        "previous_identity": _previous_identity(variables, origins),
    }
    metadata = {**required, "config": dict(config)}
    parts = partition(variables, stage, rules)
    log_partition(parts)
    state = make_state(parts.trainable)
    if not is_resuming:
        return Initialised(state, parts.frozen, None, origins, metadata)
    restored = checkpoints.restore(abstract_like(state), expected=required)
    for collection in parts.trainable:
        origins[collection] = "resume"
        trained = describe(restored.state.trainable[collection])
        _log.info("%s: resume, %s, %s", collection, checkpoints.directory, trained)
    return Initialised(
        restored.state, parts.frozen, restored.data_iterator_state, origins, metadata
    )


def _load_variables(
    abstract_variables: Variables, sources: Sequence[WeightSource]
) -> tuple[Variables, dict[str, Origin]]:
    ranks = ["previous stage", "converted weights", "random"]
    order = [ranks.index(source.origin) for source in sources]
    assert order == sorted(order), f"sources out of order: {sources}"
    variables: Variables = {}
    origins: dict[str, Origin] = {}
    for collection, abstract in abstract_variables.items():
        having = [source for source in sources if collection in source.load]
        if not having:
            offered = ", ".join(source.path for source in sources) or "no source"
            raise UserError(
                f"no weights for {collection} in {offered}; give weights that have it"
            )
        source = having[0]
        tree = source.load[collection]()
        require_same_structure(abstract, tree, f"{collection} of {source.path}")
        variables[collection] = tree
        origins[collection] = source.origin
        _log.info(
            "%s: %s, %s, %s", collection, source.origin, source.path, describe(tree)
        )
    return variables, origins


def _previous_identity(
    variables: Variables, origins: Mapping[str, Origin]
) -> str | None:
    """Names the weights taken from the previous stage.

    They are frozen but in no checkpoint of this run: training the previous stage on
    would otherwise change them under a run that is resumed.
    """
    names = [name for name, origin in origins.items() if origin == "previous stage"]
    if not names:
        return None
    sums = checksums(flatten({name: variables[name] for name in sorted(names)}))
    return hashlib.sha256(json.dumps(sums, sort_keys=True).encode()).hexdigest()


def first_step(directory: Path, previous: Path | None) -> int:
    """Returns the global step this stage starts with, the boundary of the schedule.

    A resumed run started where its checkpoint says; stage 2 starts where stage 1 ended;
    every other run starts at 0.

    Args:
      directory: of this run's checkpoints.
      previous: workdir of the previous stage, if there is one.

    Raises:
      UserError: a previous stage without a complete checkpoint.
    """
    if saved_steps(directory):
        return int(read_metadata(directory)["first_step"])
    if previous is None:
        return 0
    return previous_step(previous)


def previous_step(workdir: Path) -> int:
    """Returns the global step the newest checkpoint of another run stands at.

    Raises:
      UserError: it has none.
    """
    steps = saved_steps(workdir / CHECKPOINTS)
    if not steps:
        raise UserError(
            f"there is no complete checkpoint in {workdir / CHECKPOINTS}; train the "
            "previous stage first, or pass its workdir"
        )
    return steps[-1]


def previous_stage(
    workdir: Path,
    step: int,
    abstract_trainable: Variables,
    expected: Mapping[str, Any],
) -> WeightSource:
    """Offers the moving average of a checkpoint of the previous stage.

    Args:
      workdir: of the run of the previous stage.
      step: of its checkpoint: `first_step` of this run.
      abstract_trainable: collection to tree of `jax.ShapeDtypeStruct` with shardings:
        everything that stage trained.
      expected: metadata its checkpoint must have: stage, preset, base.

    Raises:
      UserError: from `load`: no such checkpoint, or one of another structure, stage,
        preset or base.
    """
    directory = workdir / CHECKPOINTS

    def load(collection: str) -> Tree:
        restored = restore_checkpoint(
            directory,
            abstract_trainable[collection],
            expected=expected,
            step=step,
            part=f"ema/{collection}",
        )
        return restored.state

    return WeightSource(
        origin="previous stage",
        path=f"{directory / str(step)} (moving average)",
        load={name: functools.partial(load, name) for name in abstract_trainable},
    )


def start_as_identity(params: Tree) -> Tree:
    """Zeroes what a base from scratch starts without, as DiT does.

    With the kernels of all modulations, of the last norm and of the output at 0, every
    block is the identity and the velocity is 0.

    Args:
      params: a random base.
    """
    return unflatten(
        {
            name: jnp.zeros_like(leaf) if _ZERO.fullmatch(name) else leaf
            for name, leaf in flatten(params).items()
        }
    )


_ZERO = re.compile(r"(proj_out|norm_out|transformer_blocks/(img|txt)_mod)/kernel")


def require_same_config(stored: Mapping[str, Any], current: Mapping[str, Any]) -> None:
    """Compares the configuration of a checkpoint with that of the run resuming it.

    Settings that only say when things happen may change and are logged; one that would
    change what is computed, and hence break exact resumption, is an error.

    Args:
      stored: `config.to_dict` of the checkpoint's run.
      current: of this run.

    Raises:
      UserError: naming the first setting that differs.
    """
    left, right = flatten(stored), flatten(current)
    for name in sorted(left.keys() | right.keys()):
        if left.get(name) == right.get(name):
            continue
        path = name.replace("/", ".")
        if path.split(".")[0] in _FREE_SETTINGS:
            _log.warning("%s was %s, is %s", path, left.get(name), right.get(name))
            continue
        raise UserError(
            f"{path} is {right.get(name)!r}, but the checkpoint was made with "
            f"{left.get(name)!r}; resume with the same value or use a new workdir"
        )


# Where things are, how they are laid out, how long and how often.
_FREE_SETTINGS = frozenset(
    {"workdir", "mesh", "num_steps", "intervals", "evaluation", "previous"}
)
