"""One picture of what the studio renders: an edit of every task.

`python -m tbstar_jax.data_engine.studio.sheet docs/images/templates_3d.png`, and with
`--blender=python` the same edits drawn by Blender.
"""

import argparse
import functools
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from tbstar_jax.data_engine.fonts.loader import font
from tbstar_jax.data_engine.render.sampling import generator
from tbstar_jax.data_engine.studio.backends import NumpyBackend
from tbstar_jax.data_engine.studio.blender import frames
from tbstar_jax.data_engine.studio.blender.process import (
    BlenderProcess,
    BlenderSettings,
)
from tbstar_jax.data_engine.studio.edits import EDIT_TASKS, Edit, sample_edit
from tbstar_jax.data_engine.studio.grammar import instructions
from tbstar_jax.data_engine.studio.pairs import Pair, render_pairs
from tbstar_jax.data_engine.studio.stage import Draw

_CAPTION = 18
_COLUMNS = 3
_GAP = 6


def contact_sheet(
    seed: int, pixels: int, supersampling: int, draw: Draw
) -> UInt8[np.ndarray, "h w 3"]:
    """Renders an edit of every task: source, target and mask under its instruction.

    Args:
      seed: of the scenes.
      pixels: side of each picture.
      supersampling: rays per pixel and direction.
      draw: what renders.
    """
    edits = [
        sample_edit(
            generator("sheet", seed, number, task),
            task,
            (pixels, pixels),
            supersampling,
        )
        for number, task in enumerate(EDIT_TASKS)
    ]
    tiles = [_tile(edit, pair) for edit, pair in zip(edits, draw(edits), strict=True)]
    blank = np.full_like(tiles[0], 255)
    tiles += [blank] * (-len(tiles) % _COLUMNS)
    rows = [
        np.concatenate(tiles[at : at + _COLUMNS], axis=1)
        for at in range(0, len(tiles), _COLUMNS)
    ]
    return np.concatenate(rows)


def _tile(edit: Edit, pair: Pair) -> UInt8[np.ndarray, "h w 3"]:
    mask = np.repeat(pair.change_mask[:, :, None], 3, axis=2)
    pictures = np.concatenate([pair.source, pair.target, mask], axis=1)
    strip = Image.new("RGB", (pictures.shape[1], _CAPTION), (255, 255, 255))
    english, _ = instructions(edit.task, edit.facts, "个")
    text = f"{edit.task}: {english[0]}"
    ImageDraw.Draw(strip).text((3, 2), text, font=font("regular", 11), fill=(30,) * 3)
    tile = np.concatenate([np.asarray(strip), pictures])
    return np.pad(tile, ((0, _GAP), (0, _GAP), (0, 0)), constant_values=255)


def main() -> None:
    """Writes the sheet."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pixels", type=int, default=192)
    parser.add_argument("--supersampling", type=int, default=3)
    parser.add_argument("--blender", type=Path, help="an interpreter that has bpy")
    options = parser.parse_args()
    numbers = options.seed, options.pixels, options.supersampling
    if options.blender:
        settings = BlenderSettings(python=options.blender, num_threads=2)
        with BlenderProcess(settings) as process:
            traced = functools.partial(
                frames.render_pairs, is_strict=True, process=process
            )
            sheet = contact_sheet(*numbers, traced)
    else:
        backend = NumpyBackend()
        drawn = functools.partial(render_pairs, is_strict=True, backend=backend)
        sheet = contact_sheet(*numbers, drawn)
    Image.fromarray(sheet).save(options.out, optimize=True)


if __name__ == "__main__":
    main()
