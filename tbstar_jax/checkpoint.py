"""Training state on disk: saved atomically, restored exactly, never doubted silently.

The only module that imports Orbax (its v1 API). One directory holds one checkpoint per
saved step:

    <directory>/<step>/state                  arrays, by leaf name
    <directory>/<step>/_CHECKPOINT_METADATA   JSON: config, base identity, stage,
                                              data-iterator state, checksums

A step's directory gets its name when everything in it is written, so a killed save
leaves only a temporary directory, which is logged and ignored. Everything else that is
wrong with a checkpoint (missing, damaged, another structure, another base) is a
`UserError` that says what differs: a run never starts over because it could not read.

Every leaf carries a checksum, computed on the devices where it lies: file formats
notice a truncated file, but not a flipped bit.
"""

import contextlib
import gc
import json
import logging
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
from orbax.checkpoint import v1 as ocp

from tbstar_jax.errors import UserError
from tbstar_jax.trees import (
    checksums,
    describe,
    flatten,
    leaf_names,
    list_names,
    require_same_structure,
    unflatten,
)

_log = logging.getLogger(__name__)

_STATE = "state"
_FORMAT = 1


class Restored(NamedTuple):
    """What a checkpoint held.

    Attributes:
      state: the state, in the structure and shardings that were asked for.
      data_iterator_state: JSON values, as given to `Checkpoints.save`.
      metadata: JSON values, as given to `Checkpoints.save`.
    """

    state: Any
    data_iterator_state: dict[str, Any]
    metadata: dict[str, Any]


class Checkpoints:
    """The checkpoints of one run: the one writer of a directory.

    Saving is asynchronous: `save` returns when the arrays are copied off the devices,
    and the next `save`, or `close`, waits for the files. Use it as a context manager.
    All processes of a run call every method, in the same order.
    """

    def __init__(self, directory: Path, *, save_every: int, keep_latest: int) -> None:
        """Opens a directory for writing; creates it and removes half-written steps.

        Args:
          directory: where the steps lie.
          save_every: interval of saving, in steps; `save` declines other steps.
          keep_latest: number of newest checkpoints that are preserved.
        """
        if save_every < 1 or keep_latest < 1:
            raise UserError(
                f"save_every is {save_every} and keep_latest is {keep_latest}; both "
                "must be at least 1"
            )
        self.directory = directory.resolve()
        for path in half_written(self.directory):
            _log.warning("ignoring and removing the half-written checkpoint %s", path)
            # Here and not by Orbax, whose cleaning runs beside the first save.
            if jax.process_index() == 0:
                shutil.rmtree(path)
        policies = ocp.training.save_decision_policies
        self._checkpointer = ocp.training.Checkpointer(
            str(self.directory),
            save_decision_policy=policies.FixedIntervalPolicy(save_every),
            preservation_policy=ocp.training.preservation_policies.LatestN(keep_latest),
            cleanup_tmp_directories=False,
        )

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def save(
        self,
        step: int,
        state: Any,
        data_iterator_state: Mapping[str, Any],
        metadata: Mapping[str, Any],
        *,
        force: bool = False,
    ) -> bool:
        """Starts saving a step, if the interval asks for it and it is not saved yet.

        Args:
          step: number of finished optimizer steps.
          state: pytree of arrays. Its buffers may be donated after the call returns.
          data_iterator_state: JSON values that lead the input to the next batch.
          metadata: JSON values: config, stage, base identity.
          force: save whatever the interval says.

        Returns:
          Whether a save was started.
        """
        if step == self.latest_step():
            return False
        if not force and not self._checkpointer.should_save(step):
            return False
        named = leaf_names(state)
        content = {
            "format": _FORMAT,
            "metadata": dict(metadata),
            "data_iterator": dict(data_iterator_state),
            "checksums": checksums(named),
        }
        self._checkpointer.save_checkpointables_async(
            step, {_STATE: unflatten(named)}, force=True, custom_metadata=content
        )
        _log.info(
            "saving checkpoint %s: %s", self.directory / str(step), describe(named)
        )
        return True

    def latest_step(self) -> int | None:
        """Returns the newest saved (or now being saved) step, or None."""
        latest = self._checkpointer.latest
        return None if latest is None else latest.step

    def restore(
        self,
        abstract_state: Any,
        *,
        expected: Mapping[str, Any],
        step: int | None = None,
    ) -> Restored:
        """Restores a step; see `restore_checkpoint`."""
        self.wait()
        return restore_checkpoint(
            self.directory, abstract_state, expected=expected, step=step
        )

    def wait(self) -> None:
        """Waits until everything that `save` started is on disk."""
        self._checkpointer.wait()

    def close(self) -> None:
        """Waits for running saves and releases the directory."""
        self._checkpointer.close()


def saved_steps(directory: Path) -> list[int]:
    """Lists the completely saved steps of a directory, ascending; reads names only."""
    if not directory.is_dir():
        return []
    names = [path.name for path in directory.iterdir() if path.is_dir()]
    return sorted(int(name) for name in names if re.fullmatch(r"\d+", name))


def half_written(directory: Path) -> list[Path]:
    """Lists what killed saves left in a directory."""
    if not directory.is_dir():
        return []
    return sorted(
        path
        for path in directory.iterdir()
        if re.fullmatch(r"\d+\.orbax-checkpoint-tmp.*", path.name)
    )


def restore_checkpoint(
    directory: Path,
    abstract_state: Any,
    *,
    expected: Mapping[str, Any],
    step: int | None = None,
    part: str | None = None,
) -> Restored:
    """Restores the arrays of one saved step into given shardings.

    Args:
      directory: directory of a `Checkpoints`; it is only read.
      abstract_state: pytree of `jax.ShapeDtypeStruct` with shardings: every leaf is
        read straight into its devices. `abstract_like` makes one from a state.
      expected: metadata entries that must agree, such as stage and base identity.
      step: a saved step; the newest when absent.
      part: name of a subtree, such as `ema`, to read alone; `abstract_state` then has
        the structure of that subtree.

    Raises:
      UserError: no such checkpoint, or a damaged one, or one whose metadata or
        structure differs, naming what differs.
    """
    directory = directory.resolve()
    path = directory / str(_existing_step(directory, step))
    content = _read_content(path)
    _require_expected(path, content["metadata"], expected)
    prefix = "" if part is None else f"{part}/"
    wanted = {prefix + name: leaf for name, leaf in leaf_names(abstract_state).items()}
    assert all(leaf.sharding is not None for leaf in wanted.values())
    stored = flatten(_stored_structure(path))
    if part is not None:
        stored = {n: leaf for n, leaf in stored.items() if n.startswith(prefix)}
    require_same_structure(wanted, stored, f"the checkpoint {path}")
    _require_same_dtypes(path, wanted, stored)
    named = flatten(_load(path, unflatten(wanted), is_part=part is not None))
    _require_checksums(path, named, content["checksums"])
    leaves, treedef = jax.tree_util.tree_flatten_with_path(abstract_state)
    names = [
        prefix + jax.tree_util.keystr(key, simple=True, separator="/")
        for key, _ in leaves
    ]
    state = jax.tree.unflatten(treedef, [named[name] for name in names])
    _log.info("restored checkpoint %s: %s", path, describe(named))
    return Restored(state, content["data_iterator"], content["metadata"])


def read_metadata(directory: Path, step: int | None = None) -> dict[str, Any]:
    """Reads the metadata of one saved step (the newest when absent), no arrays.

    Raises:
      UserError: no such checkpoint, or a damaged one.
    """
    directory = directory.resolve()
    path = directory / str(_existing_step(directory, step))
    return _read_content(path)["metadata"]


def abstract_like(state: Any) -> Any:
    """Describes the shapes, dtypes and shardings of a state's arrays."""
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), state
    )


def _existing_step(directory: Path, step: int | None) -> int:
    steps = saved_steps(directory)
    if not steps:
        raise UserError(f"there is no complete checkpoint in {directory}")
    if step is not None and step not in steps:
        listed = list_names([str(each) for each in steps])
        raise UserError(
            f"there is no checkpoint of step {step} in {directory}; it has {listed}"
        )
    for path in half_written(directory):
        _log.warning("ignoring the half-written checkpoint %s", path)
    return steps[-1] if step is None else step


def _read_content(path: Path) -> dict[str, Any]:
    """Reads our JSON part of a checkpoint."""
    with _reading(path):
        content = ocp.checkpointables_metadata(str(path)).custom_metadata
    if not isinstance(content, dict) or "format" not in content:
        raise _damaged(path, "its metadata cannot be read")
    if content["format"] != _FORMAT:
        raise UserError(
            f"the checkpoint {path} has format {content['format']}; this version "
            f"reads format {_FORMAT}"
        )
    return content


def _stored_structure(path: Path) -> Any:
    with _reading(path):
        structure = ocp.checkpointables_metadata(str(path)).metadata.get(_STATE)
    if structure is None:
        raise _damaged(path, "its list of arrays cannot be read")
    return structure


def _load(path: Path, abstract: Any, *, is_part: bool) -> Any:
    context = ocp.Context()
    context.pytree.loading.partial_load = is_part
    with _reading(path), context:
        return ocp.load_checkpointables(str(path), {_STATE: abstract})[_STATE]


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns whatever the reader raises about a file into one sentence.

    The structure has been compared before arrays are read, so what remains is damage.
    The reader also logs every failed array with a traceback: the sentence replaces
    that. Its threads go on after the first failure, and what they report to the event
    loop which that failure has closed comes at any later time, also where the reader
    recovered from the failure itself: such reports are dropped for good.
    """
    if not isinstance(sys.unraisablehook, _UnlessLoopClosed):
        sys.unraisablehook = _UnlessLoopClosed(sys.unraisablehook)
    loggers = [logging.getLogger("absl"), logging.getLogger("asyncio")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    except Exception as error:
        reason = _first_sentence(error)
        del error
        gc.collect()
        raise _damaged(path, reason) from None
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


class _UnlessLoopClosed:
    """An unraisable hook that drops what a thread could not tell a closed loop."""

    def __init__(self, report: Callable[[Any], object]) -> None:
        self._report = report

    def __call__(self, unraisable: Any) -> None:
        if str(unraisable.exc_value) != "Event loop is closed":
            self._report(unraisable)


def _first_sentence(error: BaseException) -> str:
    """Returns the start of the innermost cause's message."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].partition(" [tensorstore_spec")[0][:200]


def _damaged(path: Path, reason: str) -> UserError:
    return UserError(
        f"the checkpoint {path} is damaged ({reason}); move it away to continue from "
        "the one before it"
    )


def _require_expected(
    path: Path, metadata: Mapping[str, Any], expected: Mapping[str, Any]
) -> None:
    for name, value in expected.items():
        # Through JSON, so that a tuple equals the list it was stored as.
        value = json.loads(json.dumps(value))
        if name not in metadata:
            raise UserError(f"the checkpoint {path} does not say its {name}")
        if metadata[name] != value:
            raise UserError(
                f"the checkpoint {path} has the {name} {metadata[name]!r}, but this "
                f"run has {value!r}; use another workdir or the matching option"
            )


def _require_same_dtypes(
    path: Path, wanted: Mapping[str, Any], stored: Mapping[str, Any]
) -> None:
    different = [
        f"{name} {stored[name].dtype} instead of {leaf.dtype}"
        for name, leaf in wanted.items()
        if stored[name].dtype != leaf.dtype
    ]
    if different:
        raise UserError(f"the checkpoint {path} has {list_names(different)}")


def _require_checksums(
    path: Path, named: Mapping[str, Any], stored: Mapping[str, int]
) -> None:
    actual = checksums(named)
    wrong = [name for name in actual if actual[name] != stored.get(name)]
    if wrong:
        raise _damaged(path, f"the checksum of {list_names(wrong)} is wrong")
