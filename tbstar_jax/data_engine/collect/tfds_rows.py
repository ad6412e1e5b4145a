"""A set of TensorFlow Datasets as rows; images stay encoded."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tensorflow_datasets.core.example_parser import ExampleParserNp

from tbstar_jax.data_engine.collect.rows import FolderFiles, Row
from tbstar_jax.data_engine.stage import Reject
from tbstar_jax.input_pipeline.records import open_shards


class TfdsRows:
    """The examples of one split; features are columns, dots part nested ones."""

    def __init__(self, directory: str | os.PathLike[str], split: str):
        """Opens a prepared set; raises as `open_shards` does."""
        self.files = FolderFiles(directory)
        self.names_files = False
        self._name = f"{Path(directory).name} split {split}"
        info, self._shards = open_shards(directory, split)
        features = info.features.get_serialized_info()
        self._parser = ExampleParserNp(features)
        self._texts = _text_names(info.features)

    def __len__(self) -> int:
        """Number of examples."""
        return len(self._shards)

    def read(self, start: int, stop: int) -> Iterator[Row | Reject]:
        """Parses the examples `start` up to `stop`."""
        for index in range(start, min(stop, len(self))):
            place = f"{self._name} example {index}"
            try:
                example = self._parser.parse_example(self._shards[index])
                values = {
                    name: _plain(value, name in self._texts)
                    for name, value in example.items()
                }
            # Whatever the parsers of TFDS and protobuf meet in a damaged example.
            except Exception as error:
                reason = f"not readable ({type(error).__name__}: {str(error)[:200]})"
                yield Reject(row=place, reason=reason)
                continue
            yield Row(place=place, values=values)


def _text_names(features: Any) -> set[str]:
    """Names of features whose bytes are text and not an image."""
    names = set()
    for name, feature in features.items():
        kind = getattr(feature, "feature", feature)
        if type(kind).__name__ in ("Text", "ClassLabel"):
            names.add(name)
    return names


def _plain(value: Any, is_text: bool) -> Any:
    """Arrays as lists, NumPy's numbers as Python's, texts decoded."""
    if isinstance(value, dict):
        return {name: _plain(item, is_text) for name, item in value.items()}
    if isinstance(value, list | tuple) or (
        isinstance(value, np.ndarray) and value.ndim
    ):
        return [_plain(item, is_text) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.item(), is_text)
    return value.decode() if isinstance(value, bytes) and is_text else value
