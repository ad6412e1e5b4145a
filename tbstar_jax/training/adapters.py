"""LoRA files in training: merged into the frozen base, or gone on training.

Either way they join the base weights before a run starts, so that everything that
follows (identity, placement, evaluation, export) sees one base.
"""

import dataclasses
import logging
from collections.abc import Sequence

from tbstar_jax.convert.folder import Weights
from tbstar_jax.convert.lora import read_loras
from tbstar_jax.convert.lora_collection import collection_from_loras
from tbstar_jax.convert.lora_file import parse_lora_file, refuse_distilled_files
from tbstar_jax.convert.lora_merge import merge_loras
from tbstar_jax.errors import UserError
from tbstar_jax.model.tbstar import ModelConfig
from tbstar_jax.training.train_config import TrainConfig

_log = logging.getLogger(__name__)


def with_adapters(base: Weights, config: TrainConfig) -> Weights:
    """The base a run trains on: `base` with the files of `config.adapter`.

    Merged files change `params` and the base identity. Files that are gone on training
    become its `pattern_shifting`, which `training.run` starts stage 1 from.

    Args:
      base: as loaded.
      config: of the run.

    Raises:
      UserError: a file that cannot be read, does not fit or is step-distilled.
    """
    files = config.adapter.files or ()
    if config.adapter.as_ != "pattern_shifting":
        return with_merged_files(base, files)
    parsed = [parse_lora_file(text) for text in files]
    refuse_distilled_files(parsed)
    loras = read_loras(parsed, config.model.transformer.num_layers)
    tree = collection_from_loras(loras, config.model, config.seed)
    _log.info("pattern_shifting: goes on from %s", ", ".join(files))
    return dataclasses.replace(base, parts={**base.parts, "pattern_shifting": tree})


def with_merged_files(base: Weights, files: Sequence[str]) -> Weights:
    """Merges LoRA files into the base of a run.

    Args:
      base: as loaded.
      files: `FILE` or `FILE:scale`.

    Raises:
      UserError: a file that cannot be read, does not fit or is step-distilled.
    """
    if not files:
        return base
    parsed = [parse_lora_file(text) for text in files]
    refuse_distilled_files(parsed)
    loras = read_loras(parsed, base.config.transformer.num_layers)
    _log.info("base: %s merged into it", ", ".join(files))
    return merge_loras(base, loras)


def require_compatible(model: ModelConfig, base: ModelConfig) -> None:
    """Checks the part of `model.compatible` that only the base knows.

    Args:
      model: of the run.
      base: as stored with the base's weights.

    Raises:
      UserError: sources are modulated at another time than in the base.
    """
    source_time = model.transformer.source_time
    if model.compatible and source_time != base.transformer.source_time:
        raise UserError(
            f"model.compatible={model.compatible} needs the base's "
            f"model.transformer.source_time={base.transformer.source_time}, not "
            f"{source_time}: a LoRA cannot change it"
        )
