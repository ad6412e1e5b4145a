"""Pretraining: a base from nothing but captioned images.

    autoencoder   trained on crops                  <workdir>/autoencoder
    statistics    of its latents, per channel       <workdir>/statistics.json
    latents       of every target, encoded once     <workdir>/latents/<hash>
    base          transformer and conditioner       <workdir>/base
    weights       both moving averages, bfloat16    <workdir>/weights

Each part is kept where it is complete, so the same call goes on where it was stopped.
The autoencoder is rounded to bfloat16 before anything is encoded: the base is trained
on the latents of the weights that are written.
"""

import dataclasses
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from tbstar_jax.array_types import Float, Int, Tree, UInt8, Variables
from tbstar_jax.checkpoint import read_metadata, restore_checkpoint, saved_steps
from tbstar_jax.config import to_dict
from tbstar_jax.convert.folder import Weights, load_weights, save_weights
from tbstar_jax.errors import UserError
from tbstar_jax.geometry import to_model
from tbstar_jax.input_pipeline.buckets import assign_buckets, plan_image, read_headers
from tbstar_jax.input_pipeline.images import decode_image
from tbstar_jax.input_pipeline.latents import LatentSource
from tbstar_jax.input_pipeline.mixtures import open_mixture
from tbstar_jax.input_pipeline.sources import Source
from tbstar_jax.model.tbstar import ModelConfig
from tbstar_jax.model.vae import VAE, VAEConfig
from tbstar_jax.parallel.mesh import make_mesh, parse_mesh
from tbstar_jax.parallel.sharding import replicated
from tbstar_jax.training.freeze import STAGE_COLLECTIONS, TRAIN_ALL
from tbstar_jax.training.initialise import CHECKPOINTS, require_same_config
from tbstar_jax.training.objective import to_unit, with_statistics
from tbstar_jax.training.precompute import (
    Precomputed,
    precompute,
    preprocessing_hash,
)
from tbstar_jax.training.pretrain_evaluation import (
    make_autoencoder_evaluate,
    make_base_evaluate,
)
from tbstar_jax.training.run import abstract_parts, run_identity, train
from tbstar_jax.training.train_config import TrainConfig
from tbstar_jax.trees import tree_identity

_log = logging.getLogger(__name__)

_BATCH_SIZE = 32


@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainConfig:
    """Both phases; a setting they share stands in each.

    Attributes:
      workdir: of everything that is written.
      autoencoder: the run of the first phase.
      base: the run of the second; its latent statistics are replaced by measured ones.
      num_statistics_images: training images they are measured on, spread over the sets;
        fewer where there are fewer.
    """

    workdir: Path
    autoencoder: TrainConfig
    base: TrainConfig
    num_statistics_images: int = 1024

    def __post_init__(self) -> None:
        stages = self.autoencoder.stage, self.base.stage
        if stages != ("autoencoder", "pretrain"):
            raise UserError(
                f"autoencoder.stage is {stages[0]} and base.stage {stages[1]}; they "
                "must be autoencoder and pretrain"
            )
        for name in ("preset", "mesh"):
            left, right = getattr(self.autoencoder, name), getattr(self.base, name)
            if left != right:
                raise UserError(
                    f"autoencoder.{name} is {left} and base.{name} {right}; set both "
                    f"with --{name}"
                )
        if self.autoencoder.model.vae != self.base.model.vae:
            raise UserError(
                "autoencoder.model.vae and base.model.vae differ; set both alike"
            )
        rules = self.autoencoder.trainable_rules, self.base.trainable_rules
        if rules != (TRAIN_ALL, TRAIN_ALL):
            raise UserError(
                "trainable_rules would leave parts of a base from scratch untrained; "
                "leave them as they are"
            )
        if self.num_statistics_images < 1:
            raise UserError(
                f"num_statistics_images is {self.num_statistics_images}; it must be "
                "at least 1"
            )


def pretrain(config: PretrainConfig, *, show_progress: bool) -> Weights | None:
    """Trains what is not complete yet and writes the weights folder.

    Args:
      config: of both phases.
      show_progress: whether to draw progress bars.

    Returns:
      The folder `<workdir>/weights` as it now is, or None where a phase was told to
      stop; the next call goes on there.

    Raises:
      UserError: settings, data or checkpoints that do not fit.
    """
    if is_complete(config.autoencoder) and is_complete(config.base):
        _log.info("both phases are complete; the weights are only written again")
    if not is_complete(config.autoencoder):
        train(
            config.autoencoder,
            None,
            make_autoencoder_evaluate,
            show_progress=show_progress,
        )
        if not is_complete(config.autoencoder):
            return None
    vae = as_bfloat16(moving_average(config.autoencoder, None)["vae"])
    base, autoencoder = _with_autoencoder(config, vae)
    if not is_complete(base):
        latents = _open_latents(config, base, autoencoder, show_progress)
        train(
            base,
            autoencoder,
            make_base_evaluate,
            show_progress=show_progress,
            latents=latents,
        )
        if not is_complete(base):
            return None
    parts = {"vae": vae, **as_bfloat16(moving_average(base, autoencoder))}
    return export(config.workdir / "weights", base.model, parts)


def is_complete(config: TrainConfig) -> bool:
    """Whether a phase has a checkpoint of its last step."""
    steps = saved_steps(config.workdir / CHECKPOINTS)
    return bool(steps) and steps[-1] >= config.num_steps


def moving_average(config: TrainConfig, base: Weights | None) -> Variables:
    """The averaged weights of a phase's newest checkpoint, as arrays of this host.

    Args:
      config: of the phase; the checkpoint must have been made with it.
      base: what was frozen.

    Raises:
      UserError: there is no such checkpoint, or it is damaged or of another run.
    """
    directory = config.workdir / CHECKPOINTS
    stored = read_metadata(directory).get("config", {})
    require_same_config(stored, to_dict(config))
    whole = replicated(make_mesh(parse_mesh(config.mesh)))
    shapes = abstract_parts(config)
    abstract = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=whole),
        {name: shapes[name] for name in STAGE_COLLECTIONS[config.stage]},
    )
    restored = restore_checkpoint(
        directory, abstract, expected=run_identity(config, base), part="ema"
    )
    return jax.tree.map(np.asarray, restored.state)


def as_bfloat16(tree: Tree) -> Tree:
    """Rounds every leaf, on the host."""
    return jax.tree.map(lambda leaf: np.asarray(leaf).astype(jnp.bfloat16), tree)


def export(directory: Path, config: ModelConfig, parts: Variables) -> Weights:
    """Writes a base as a weights folder in place of an older one.

    Stage modules that lie in the folder are kept if they belong to this base. A kill
    leaves the old folder or none, never a part of one.

    Args:
      directory: of the folder.
      config: of the model, with its latent statistics.
      parts: `params`, `vae` and `conditioner`.

    Raises:
      UserError: something else lies there.
    """
    if jax.process_index() == 0:
        _write_folder(directory, config, parts)
    _wait_for_all("weights")
    _log.info("wrote %s", directory)
    return load_weights(directory)


def _write_folder(directory: Path, config: ModelConfig, parts: Variables) -> None:
    identities = {name: tree_identity(tree) for name, tree in parts.items()}
    kept: Variables = {}
    if directory.exists():
        if not (directory / "manifest.json").is_file():
            raise UserError(f"{directory} is no weights folder; move it away")
        old = load_weights(directory)
        if all(old.identities[name] == identities[name] for name in parts):
            kept = {name: old.parts[name] for name in old.parts if name not in parts}
    partial = directory.with_name(f".{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    save_weights(partial, config, {**parts, **kept})
    if directory.exists():
        shutil.rmtree(directory)
    os.rename(partial, directory)


def _with_autoencoder(config: PretrainConfig, vae: Tree) -> tuple[TrainConfig, Weights]:
    """The base's run with measured statistics, and what is frozen in it."""
    identity = tree_identity(vae)
    sources = open_mixture(config.base.data.mixture, "train")
    count = min(config.num_statistics_images, sum(map(len, sources)))
    facts = {
        "autoencoder": identity,
        "sets": [source.fingerprint for source in sources],
        "num_images": count,
    }
    path = config.workdir / "statistics.json"
    stored = json.loads(path.read_text()) if path.exists() else {}
    if {name: stored.get(name) for name in facts} != facts:
        budget = config.base.model.pixel_budget
        mean, std = latent_statistics(
            config.base.model.vae, vae, sources, count, budget
        )
        stored = {**facts, "mean": mean.tolist(), "std": std.tolist()}
        if jax.process_index() == 0:
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps(stored, indent=1) + "\n")
            partial.replace(path)
        _wait_for_all("statistics")
    model = with_statistics(config.base.model, stored["mean"], stored["std"])
    autoencoder = Weights(
        config=model, parts={"vae": vae}, identities={"vae": identity}
    )
    return dataclasses.replace(config.base, model=model), autoencoder


def latent_statistics(
    config: VAEConfig,
    vae: Tree,
    sources: Sequence[Source],
    count: int,
    pixel_budget: int,
) -> tuple[Float[np.ndarray, " c"], Float[np.ndarray, " c"]]:
    """Mean and standard deviation of unnormalised latents, per channel.

    Args:
      config: of the autoencoder; its own statistics are not used.
      vae: its weights.
      sources: the sets.
      count: targets that are encoded, spread evenly over all sets.
      pixel_budget: of the model.

    Returns:
      Both as float32 numbers, `[z_dim]`.

    Raises:
      UserError: a channel that is constant or not finite.
    """
    encode = jax.jit(
        lambda tree, image: VAE(config).apply(
            {"params": tree}, to_unit(image), method=VAE.moments
        )[0]
    )
    total = sum(map(len, sources))
    chosen = np.arange(count) * total // count
    sums = np.zeros((2, config.z_dim))
    num_cells, start = 0, 0
    for source in sources:
        rows = chosen[(chosen >= start) & (chosen < start + len(source))] - start
        start += len(source)
        for keys, images in _targets(source, rows, pixel_budget):
            latent = np.asarray(encode(vae, images))[: len(keys)].astype(np.float64)
            cells = latent.reshape(-1, config.z_dim)
            sums += np.stack([cells.sum(0), np.square(cells).sum(0)])
            num_cells += len(cells)
    mean, square = sums / num_cells
    std = np.sqrt(np.maximum(square - np.square(mean), 0))
    if not np.isfinite(std).all() or std.min() <= 0:
        raise UserError(
            f"latent channel {int(np.argmin(std))} has the standard deviation "
            f"{std.min()}; train the autoencoder longer or with a lower learning rate"
        )
    return mean.astype(np.float32), std.astype(np.float32)


def _open_latents(
    config: PretrainConfig,
    base: TrainConfig,
    autoencoder: Weights,
    show_progress: bool,
) -> list[LatentSource]:
    """Opens the latents of every set, encoding those that are not there.

    Targets alone, float16: finer than bfloat16, as large.
    """
    stored = Precomputed(has_sources=False, has_context=False, dtype="float16")
    identities = autoencoder.identities
    expected = preprocessing_hash(base.model, identities, has_context=False)
    opened = []
    for source in open_mixture(base.data.mixture, "train"):
        facts = [expected, source.fingerprint]
        directory = config.workdir / "latents" / _digest(facts)[:16]
        if not directory.exists() and jax.process_index() == 0:
            precompute(
                source,
                directory,
                "train",
                base.model,
                autoencoder.parts,
                identities,
                stored,
                show_progress=show_progress,
            )
        _wait_for_all("latents")
        opened.append(LatentSource(directory, "train", expected))
    return opened


def _targets(
    source: Source, rows: Int[np.ndarray, " r"], pixel_budget: int
) -> Iterator[tuple[list[str], UInt8[np.ndarray, "b h w 3"]]]:
    """Keys and target images, bucket by bucket; the last batch repeats its last."""
    buckets = assign_buckets(read_headers(source), pixel_budget, str(source.directory))
    for bucket in buckets:
        members = np.intersect1d(bucket.rows, rows)
        for start in range(0, len(members), _BATCH_SIZE):
            records = [source[int(r)] for r in members[start : start + _BATCH_SIZE]]
            images = []
            for record in records:
                image = decode_image(record.target_image, f"record {record.key!r}")
                images.append(
                    to_model(image, plan_image(image.shape[:2], pixel_budget))
                )
            images += [images[-1]] * (_BATCH_SIZE - len(images))
            yield [record.key for record in records], np.stack(images)


def _digest(facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _wait_for_all(what: str) -> None:
    """Other processes read what process 0 has written."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(what)
