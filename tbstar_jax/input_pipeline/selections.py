"""Some rows of a set: chosen once, kept in a file, never filtered while training.

A file names the content of the set whose rows it numbers, so that it is refused when
the set was built again. What a run trains on is then (set, selection), and both are in
the fingerprint of the source, hence in the identity of the data that a resume checks.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import SupportsIndex

import numpy as np

from tbstar_jax.array_types import Int
from tbstar_jax.errors import UserError
from tbstar_jax.input_pipeline.record_shards import write_durably
from tbstar_jax.input_pipeline.records import EditRecord
from tbstar_jax.input_pipeline.sources import Source

__all__ = ["SelectedSource", "open_selection", "write_selection"]


class SelectedSource:
    """A source of which only some rows are seen, in ascending order.

    Attributes:
      whole: the source with all rows.
      rows: the chosen ones.
      directory: where the whole source lies.
      fingerprint: names the whole source's content and the chosen rows.
    """

    def __init__(self, whole: Source, rows: Int[np.ndarray, " r"]):
        """Checks the rows.

        Args:
          whole: the source.
          rows: at least one, ascending, each once.

        Raises:
          UserError: none is chosen, or they are not ascending rows of the source.
        """
        if not len(rows):
            raise UserError(f"a selection of {whole.directory} chooses no record")
        is_ascending = bool(np.all(np.diff(rows) > 0))
        if not is_ascending or rows[0] < 0 or rows[-1] >= len(whole):
            raise UserError(
                f"a selection of {whole.directory} does not hold ascending row numbers "
                f"below {len(whole)}; write it again"
            )
        self.whole = whole
        self.rows = rows
        self.directory = whole.directory
        digest = hashlib.sha256(whole.fingerprint.encode())
        digest.update(rows.astype("<i8").tobytes())
        self.fingerprint = digest.hexdigest()

    def __len__(self) -> int:
        """Number of chosen records."""
        return len(self.rows)

    def __getitem__(self, index: SupportsIndex) -> EditRecord:
        """Reads one chosen record; images stay encoded."""
        return self.whole[self.rows[index]]


def write_selection(
    path: str | os.PathLike[str], fingerprint: str, rows: Int[np.ndarray, " r"]
) -> None:
    """Keeps chosen rows in a file of JSON.

    Args:
      path: of the file; replaced at once.
      fingerprint: of the source that is chosen from.
      rows: ascending.
    """
    content = {"of": fingerprint, "rows": rows.tolist()}
    write_durably(Path(path), json.dumps(content, separators=(",", ":")).encode())


def open_selection(whole: Source, path: str | os.PathLike[str]) -> SelectedSource:
    """Opens the rows of a source that a file chooses.

    Args:
      whole: the source.
      path: written by `write_selection`.

    Raises:
      UserError: the file is missing or damaged, chooses from other content or nothing.
    """
    try:
        content = json.loads(Path(path).read_bytes())
        fingerprint, listed = content["of"], content["rows"]
        is_numbers = all(type(row) is int for row in listed)
        rows = np.array(listed if is_numbers else None, np.int64)
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise UserError(
            f"{path} is not a selection of records; write it with "
            "`python -m data.build --stage=mix`"
        ) from error
    if fingerprint != whole.fingerprint:
        raise UserError(
            f"{path} chooses rows of another version of {whole.directory}, which was "
            "built again since; write it again with `python -m data.build --stage=mix`"
        )
    return SelectedSource(whole, rows)
