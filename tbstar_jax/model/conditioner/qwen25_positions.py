"""Where the patches of an image and the tokens of a prompt stand; NumPy, on the host.

Patches come from the image processor cell by cell: cells row by row, and within a cell
its patches row by row. The attention windows of the vision tower are squares of cells,
cut from the image's top left corner, so that those at the right and lower border may be
smaller.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Int32

from tbstar_jax.array_types import Grid
from tbstar_jax.model.conditioner.qwen25_config import VisionConfig


@dataclasses.dataclass(frozen=True)
class Windows:
    """The windows of one image.

    Attributes:
      cells: `[w u]` int32, the cells of every window in row-major order of the image,
        -1 in the places a smaller window leaves, which are its last.
      place: `[cells]` int32, where in `cells`, read as one row, a cell stands.
    """

    cells: Int32[np.ndarray, "w u"]
    place: Int32[np.ndarray, " n"]


def image_windows(grid: Grid, config: VisionConfig) -> Windows:
    """Cuts an image into its attention windows.

    Args:
      grid: rows and columns of the image, in cells.
      config: of the vision tower.
    """
    (rows, columns), side = grid, config.window_side
    cells = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    windows = [
        cells[top : top + side, left : left + side].reshape(-1)
        for top in range(0, rows, side)
        for left in range(0, columns, side)
    ]
    padded = np.full((len(windows), config.cells_per_window), -1, np.int32)
    for row, window in zip(padded, windows, strict=True):
        row[: len(window)] = window
    flat = padded.reshape(-1)
    place = np.zeros(cells.size, np.int32)
    place[flat[flat >= 0]] = np.flatnonzero(flat >= 0)
    return Windows(cells=padded, place=place)


def patch_position_ids(grid: Grid, config: VisionConfig) -> Int32[np.ndarray, "n q 2"]:
    """(row, column) of the patches of every cell, in patches.

    Args:
      grid: rows and columns of the image, in cells.
      config: of the vision tower.

    Returns:
      One row per cell, one entry per patch of it.
    """
    (rows, columns), side = grid, config.spatial_merge_size
    ids = np.indices((rows * side, columns * side), np.int32)
    ids = ids.reshape(2, rows, side, columns, side)
    return ids.transpose(1, 3, 2, 4, 0).reshape(rows * columns, side * side, 2)


def prompt_position_ids(
    is_cell: Bool[np.ndarray, " m"], grids: tuple[Grid, ...]
) -> Int32[np.ndarray, "m 3"]:
    """(frame, row, column) of every token of a prompt (M-RoPE).

    Text counts on, equal on all three axes. The cells of an image share one frame, and
    count rows and columns from there; text goes on behind the image's longer side.

    Args:
      is_cell: which tokens stand for a cell of an image.
      grids: rows and columns of the images, in cells, in the prompt's order.

    Returns:
      The positions.
    """
    ids = np.zeros((len(is_cell), 3), np.int32)
    index, position, images = 0, 0, iter(grids)
    while index < len(is_cell):
        if is_cell[index]:
            rows, columns = next(images)
            num = rows * columns
            assert is_cell[index : index + num].all()
            grid = np.indices((1, rows, columns), np.int32).reshape(3, num)
            ids[index : index + num] = position + grid.T
            position += max(rows, columns)
        else:
            num = 1
            ids[index] = position
            position += 1
        index += num
    assert next(images, None) is None
    return ids
